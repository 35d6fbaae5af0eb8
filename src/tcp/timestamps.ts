/**
 * Protection against wrapped sequences (RFC 7323 §5): a receiver drops a segment whose timestamp is older than the last
 * one at its left edge, so such a segment's octets never reach the application and must not count here either.
 */
import { seqDiff } from './sequence.ts';

export class TimestampCheck {
  #recent = 0;
  #known = false;

  /** False when the receiver drops the segment unread (R1). */
  acceptable(tsVal: number): boolean {
    return !this.#known || seqDiff(tsVal, this.#recent) >= 0;
  }

  /** R3: only a segment at the left edge moves the recent value on. `atLeftEdge`: SEG.SEQ <= last ACK sent. */
  record(tsVal: number, atLeftEdge: boolean): void {
    if (!atLeftEdge) return;
    this.#recent = tsVal;
    this.#known = true;
  }
}
