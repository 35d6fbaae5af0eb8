/** What a thread that reads its part of a capture is told, and what it says. Plain data. */
import type { Policy } from '../../pins/policy.ts';
import type { Unread } from '../../report/unread.ts';
import type { Secrets } from '../../source/capture/secrets.ts';
import type { Share } from '../../source/capture/share.ts';

/** Its workerData. */
export interface ReadingSetup {
  readonly path: string;
  readonly policy: Policy;
  readonly checksums: boolean;
  readonly secrets: Secrets;
  readonly share: Share;
  /** Of Pace. */
  readonly pace: SharedArrayBuffer;
}

/** Lines of the log in their order, and when each of them is due among those of other threads. */
export interface LineBatch {
  /** UTF-8, each with its line feed; `ends` has the offset behind each. */
  readonly text: Uint8Array;
  readonly ends: Uint32Array;
  readonly stages: Float64Array;
  /** Of the flow's beginning. */
  readonly frames: Float64Array;
  /** Every line of an earlier stage has been told. */
  readonly until: number;
}

export type FromReading =
  /** One for each chunk of the capture, however many lines it gave. */
  | { readonly kind: 'lines'; readonly batch: LineBatch; readonly octets: number }
  /** The last: what was not read, and what ended the reading, where that was not the capture's end. */
  | { readonly kind: 'end'; readonly unread: Unread; readonly error: string | null };
