/**
 * Verdicts on their way to the kernel: rows of words and a slab of replaced packets, sent together. What the kernel has no
 * memory for stays first in line and is sent again. Knows the addon's rows, no packets.
 */
import { NF_DROP } from './batch.ts';
import { SET, VERDICT } from './binding.ts';

/** A change of a connection's mark: bits outside `mask` stay as they are. */
export interface MarkChange {
  readonly value: number;
  readonly mask: number;
}

export interface VerdictOptions {
  /** The packet's mark from now on. */
  readonly mark?: number | undefined;
  /** Written to the packet's connection. Needs `Queue.conntrack`. */
  readonly connmark?: MarkChange | undefined;
  /** Replaces the packet from its IP header on; copied before `verdict` returns. */
  readonly payload?: Uint8Array | undefined;
}

/** Where rows go: `send` says how many of the first `count` were taken, `sendErrno` why not all. */
export interface RowSink {
  send(count: number): number;
  sendErrno(): number;
}

export class VerdictRows {
  readonly words: Uint32Array;
  readonly payload = Buffer.allocUnsafeSlow(PAYLOAD_SLAB);
  readonly #onStalled: (errno: number) => void;
  #sink: RowSink | undefined;
  #rows = 0;
  #payloadUsed = 0;
  #retry: NodeJS.Timeout | undefined;
  /** The last send was not complete: said once until one is. */
  #stalled = false;
  #accepted = 0;
  #dropped = 0;
  #unsent = 0;

  constructor(capacity: number, onStalled: (errno: number) => void) {
    this.words = new Uint32Array(capacity * VERDICT.ROW);
    this.#onStalled = onStalled;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Verdicts that found neither room nor a queue. */
  get unsent(): number {
    return this.#unsent;
  }

  open(sink: RowSink): void {
    this.#sink = sink;
  }

  /** What is there is sent, if it can be; what comes later is not. */
  close(): void {
    this.flush();
    clearTimeout(this.#retry);
    this.#sink = undefined;
  }

  add(packetId: number, verdict: number, options: VerdictOptions | undefined): void {
    if (this.#rows === this.#capacity()) this.flush();
    if (this.#sink === undefined || this.#rows === this.#capacity()) {
      this.#unsent++;
      return;
    }
    const row = this.#rows++ * VERDICT.ROW;
    this.words[row + VERDICT.packetId] = packetId;
    this.words[row + VERDICT.verdict] = verdict;
    this.words[row + VERDICT.fields] = 0;
    if (options !== undefined) verdict = this.#change(row, verdict, options);
    if (verdict === NF_DROP) this.#dropped++;
    else this.#accepted++;
  }

  flush(): void {
    if (this.#sink === undefined || this.#rows === 0) return;
    const taken = this.#sink.send(this.#rows);
    if (taken === this.#rows) {
      this.#rows = 0;
      this.#payloadUsed = 0;
      this.#stalled = false;
      return;
    }
    this.#keepForLater(taken, this.#sink.sendErrno());
  }

  /** The verdict that it comes to. */
  #change(row: number, verdict: number, { mark, connmark, payload }: VerdictOptions): number {
    const words = this.words;
    if (mark !== undefined) {
      words[row + VERDICT.fields]! |= SET.mark;
      words[row + VERDICT.mark] = mark;
    }
    if (connmark !== undefined) {
      words[row + VERDICT.fields]! |= SET.connmark;
      words[row + VERDICT.connmark] = connmark.value;
      words[row + VERDICT.connmarkMask] = connmark.mask;
    }
    return payload === undefined || this.#replacePayload(row, payload) ? verdict : NF_DROP;
  }

  /** A replacement that no longer fits becomes a drop: nothing that was to be replaced may pass as it was. */
  #replacePayload(row: number, payload: Uint8Array): boolean {
    if (payload.length > PAYLOAD_SLAB - this.#payloadUsed) this.#flushAllBut(row);
    row = (this.#rows - 1) * VERDICT.ROW;
    const words = this.words;
    if (payload.length > PAYLOAD_SLAB - this.#payloadUsed) {
      words[row + VERDICT.verdict] = NF_DROP;
      return false;
    }
    this.payload.set(payload, this.#payloadUsed);
    words[row + VERDICT.fields]! |= SET.payload;
    words[row + VERDICT.payloadOffset] = this.#payloadUsed;
    words[row + VERDICT.payloadLength] = payload.length;
    this.#payloadUsed += payload.length;
    return true;
  }

  /** Sends the rows ahead of the last one, which then is the first. */
  #flushAllBut(row: number): void {
    if (row === 0) return;
    const last = this.words.slice(row, row + VERDICT.ROW);
    this.#rows--;
    this.flush();
    this.words.set(last, this.#rows++ * VERDICT.ROW);
  }

  /** The kernel had no memory for the rest: they stay first in line, and their payloads where they are. */
  #keepForLater(taken: number, errno: number): void {
    this.words.copyWithin(0, taken * VERDICT.ROW, this.#rows * VERDICT.ROW);
    this.#rows -= taken;
    if (!this.#stalled) {
      this.#stalled = true;
      this.#onStalled(errno);
    }
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.flush();
    }, RETRY_MS);
  }

  #capacity(): number {
    return this.words.length / VERDICT.ROW;
  }
}

/** Octets of replaced packets that one flush can carry: resets are small, a filled GSO packet is 64 KiB. */
const PAYLOAD_SLAB = 1024 * 1024;
const RETRY_MS = 1;
