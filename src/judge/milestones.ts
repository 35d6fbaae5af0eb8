/**
 * When a handshake came to what: its messages as they were read, the question to its server and the answer, up to the
 * decision. For whoever asks where the time went. Bounded; decides nothing.
 */
import type { Side } from '../tls/observed/listener.ts';

/** Of the client's messages their HandshakeType, of the server's that behind `ofServer`. */
export const MILESTONE = { ofServer: 0x100, probeAsked: 0x200, probeAnswered: 0x201 } as const;

export class Milestones {
  /** Each with the microseconds at which it was, on the flow's clock. */
  readonly #noted: number[] = [];

  note(milestone: number, now: number): void {
    if (this.#noted.length < MOST) this.#noted.push(milestone, now);
  }

  onMessage(from: Side, messageType: number, now: number): void {
    this.note(from === 'server' ? MILESTONE.ofServer + messageType : messageType, now);
  }

  /** Pairs of a milestone and the microseconds to it from `begin` on, or from the first where that was earlier. */
  since(begin: number): readonly number[] {
    const zero = Math.min(begin, this.#noted[1] ?? begin);
    return this.#noted.map((value, i) => (i % 2 === 0 ? value : Math.max(0, Math.round(value - zero))));
  }
}

/** Numbers: two each. No handshake has more of them ahead of its decision, unless somebody plays with it. */
const MOST = 32;
