/**
 * What a server hands out for resumption (session ids of RFC 5246, tickets of RFC 5077) in a flow that was accepted for
 * its certificate. It counts only once the client believes what it was given: Finished covers all of it, and a client
 * that has acknowledged the server's goes on with data of its own only where it verified; in an abbreviated handshake its
 * own Finished says so. Until then whoever is on the path may have put a ticket of his own in its place. What is left: a
 * client that sends data without waiting for Finished (False Start, RFC 7918) may happen to send them just then.
 * Knows no packets and no pinsets.
 *
 *   gathering ──accepted for its certificate──▶ awaited ──the client has Finished──▶ delivered ──it goes on──▶ remembered
 *       └────────────otherwise────────────▶ over ◀──a conflict, too many octets──┘
 */
import { copyOf } from '../bytes/copy.ts';

export interface Credential {
  readonly octets: Uint8Array;
  readonly lifetimeSeconds: number;
}

export class SessionBinding {
  #state: 'gathering' | 'awaited' | 'delivered' | 'over' = 'gathering';
  /** A record of the client's began before it had the server's Finished. */
  #isWithinRecord = false;
  #credentials: Credential[] = [];
  /** The server's Finished was seen whole: an acknowledgment of it may come now. */
  isServerFinished = false;

  /** True from the decision until it is known whether the client believes what it was given. */
  get isAwaited(): boolean {
    return this.#state === 'awaited' || this.#state === 'delivered';
  }

  onTicket(lifetimeSeconds: number, ticket: Uint8Array): void {
    if (this.#state === 'over' || ticket.length === 0 || this.#credentials.length >= MAX_CREDENTIALS) return;
    // RFC 5077 §3.3: 0 leaves the lifetime to the client.
    const seconds = lifetimeSeconds === 0 ? DAY_SECONDS : Math.min(lifetimeSeconds, DAY_SECONDS);
    this.#credentials.push({ octets: copyOf(ticket), lifetimeSeconds: seconds });
  }

  /** The flow was accepted for its certificate, or for a session that rests on one (`isAbbreviated`). */
  begin(sessionId: Uint8Array, expectsTickets: boolean, isAbbreviated: boolean): void {
    if (sessionId.length > 0 && !isAbbreviated) {
      this.#credentials.push({ octets: copyOf(sessionId), lifetimeSeconds: DAY_SECONDS });
    }
    this.#state = expectsTickets || this.#credentials.length > 0 ? 'awaited' : 'over';
  }

  /** The client has acknowledged the server's Finished. `isWithinRecord`: while a record of its own was under way. */
  onDelivered(isWithinRecord: boolean): void {
    if (this.#state !== 'awaited') return;
    this.#state = 'delivered';
    this.#isWithinRecord = isWithinRecord;
  }

  /** A record of the client's that shows what it believes is whole: what there is to remember. */
  onBelief(): readonly Credential[] {
    if (this.#state !== 'delivered') return [];
    if (this.#isWithinRecord) {
      this.#isWithinRecord = false;
      return [];
    }
    const credentials = this.#credentials;
    this.giveUp();
    return credentials;
  }

  giveUp(): void {
    this.#state = 'over';
    this.#credentials = [];
  }
}

/** More than a server hands out in one handshake. */
const MAX_CREDENTIALS = 4;
const DAY_SECONDS = 86_400;
