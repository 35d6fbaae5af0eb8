/**
 * What a server hands out for resumption (session ids of RFC 5246, tickets of RFC 5077) in a flow that was accepted for
 * its certificate. It counts only once the client has shown that it took the server's Finished: somebody on the path can
 * put an id or a ticket in the place of the genuine one, which the client refuses there, and which would be remembered
 * here for a client that has it from elsewhere. Knows no packets and no pinsets.
 *
 *   gathering ──accepted for its certificate──▶ awaited ──the client goes on after Finished──▶ remembered
 *       └────────────otherwise────────────▶ over ◀──an alert, a conflict, too many octets──┘
 */
import { copyOf } from '../bytes/copy.ts';
import { CONTENT } from '../tls/constants.ts';

export interface Credential {
  readonly octets: Uint8Array;
  readonly lifetimeSeconds: number;
}

export class SessionBinding {
  #state: 'gathering' | 'awaited' | 'over' = 'gathering';
  #credentials: Credential[] = [];
  #isAbbreviated = false;
  #hasSpoken = false;
  /** The server's Finished was seen whole: an acknowledgment of it may come now. */
  isServerFinished = false;

  /** True from the decision until it is known whether the client took what it was given. */
  get isAwaited(): boolean {
    return this.#state === 'awaited';
  }

  onTicket(lifetimeSeconds: number, ticket: Uint8Array): void {
    if (this.#state === 'over' || ticket.length === 0 || this.#credentials.length >= MAX_CREDENTIALS) return;
    // RFC 5077 §3.3: 0 leaves the lifetime to the client.
    const seconds = lifetimeSeconds === 0 ? DAY_SECONDS : Math.min(lifetimeSeconds, DAY_SECONDS);
    this.#credentials.push({ octets: copyOf(ticket), lifetimeSeconds: seconds });
  }

  /** The flow was accepted for its certificate, or for a session that rests on one (`isAbbreviated`). */
  begin(sessionId: Uint8Array, expectsTickets: boolean, isAbbreviated: boolean): void {
    this.#isAbbreviated = isAbbreviated;
    if (sessionId.length > 0 && !isAbbreviated) {
      this.#credentials.push({ octets: copyOf(sessionId), lifetimeSeconds: DAY_SECONDS });
    }
    this.#state = expectsTickets || this.#credentials.length > 0 ? 'awaited' : 'over';
  }

  /** An encrypted record of the client's is complete. */
  onClientRecord(contentType: number): void {
    if (contentType === CONTENT.alert) return this.giveUp();
    // Where the server finishes first, the client's own Finished says that it took the server's.
    if (contentType === CONTENT.applicationData || this.#isAbbreviated) this.#hasSpoken = true;
  }

  /** Whether the client has spoken since this was asked last. */
  takeSpoken(): boolean {
    const hasSpoken = this.#hasSpoken;
    this.#hasSpoken = false;
    return hasSpoken;
  }

  /** The client took everything: what there is to remember. */
  confirm(): readonly Credential[] {
    const credentials = this.#state === 'awaited' ? this.#credentials : [];
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
