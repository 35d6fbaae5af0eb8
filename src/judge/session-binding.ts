/**
 * What a server hands out for resumption (session ids of RFC 5246, tickets of RFC 5077) in a flow that was accepted for
 * its certificate. It counts only once the client has acknowledged the server's Finished, so that what is remembered is
 * what the client was given. Whether the client believed that Finished nobody can see: an attacker who once gave a
 * client a ticket could have it remembered here, if that client kept it and yet asks for a whole handshake in between.
 * Knows no packets and no pinsets.
 *
 *   gathering ──accepted for its certificate──▶ awaited ──the client has the server's Finished──▶ remembered
 *       └────────────otherwise────────────▶ over ◀──a conflict, too many octets──┘
 */
import { copyOf } from '../bytes/copy.ts';

export interface Credential {
  readonly octets: Uint8Array;
  readonly lifetimeSeconds: number;
}

export class SessionBinding {
  #state: 'gathering' | 'awaited' | 'over' = 'gathering';
  #credentials: Credential[] = [];
  /** The server's Finished was seen whole: an acknowledgment of it may come now. */
  isServerFinished = false;

  /** True from the decision until it is known whether the client has what it was given. */
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
    if (sessionId.length > 0 && !isAbbreviated) {
      this.#credentials.push({ octets: copyOf(sessionId), lifetimeSeconds: DAY_SECONDS });
    }
    this.#state = expectsTickets || this.#credentials.length > 0 ? 'awaited' : 'over';
  }

  /** The client has everything: what there is to remember. */
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
