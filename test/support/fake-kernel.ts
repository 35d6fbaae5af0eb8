/**
 * Stands in for the addon and the kernel behind it: delivers rows, records what verdicts were sent, and refuses what
 * it is told to refuse. No sockets, no privileges.
 */
import { FIELD } from '../../src/packet/batch.ts';
import { type NativeBinding, type NativeQueueOptions, SET, VERDICT } from '../../src/source/binding.ts';

export interface SentVerdict {
  packetId: number;
  verdict: number;
  mark?: number;
  connmark?: { value: number; mask: number };
  payload?: string;
}

export class FakeKernel implements NativeBinding {
  readonly SLOT = 256;
  readonly Queue: NativeBinding['Queue'];
  readonly sent: SentVerdict[] = [];
  /** Length of each send. */
  readonly sends: number[] = [];
  /** Whether NFQA_CT is granted. */
  glue = false;
  /** How many verdicts each of the next sends takes before ENOBUFS. */
  takes: number[] = [];
  /** Thrown by the next open. */
  failure: { operation: string; errno: number } | undefined;
  capable = true;
  /** Granted instead of what is asked for. */
  receiveBuffer: number | undefined;
  open = false;
  reading = false;
  options!: NativeQueueOptions;
  #errno = 0;

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const kernel = this;
    this.Queue = class {
      readonly conntrack: boolean;
      readonly receiveBuffer: number;

      constructor(options: NativeQueueOptions) {
        if (kernel.failure !== undefined) throw Object.assign(new Error('refused'), kernel.failure);
        kernel.options = options;
        kernel.open = true;
        kernel.reading = true;
        this.conntrack = kernel.glue && options.conntrack;
        this.receiveBuffer = kernel.receiveBuffer ?? options.receiveBuffer;
      }
      send = (count: number) => kernel.#send(count);
      sendErrno = () => kernel.#errno;
      counters = () => ({ received: 0, enobufs: 0, verdictErrors: 0, malformed: 0 });
      pause = () => {
        kernel.reading = false;
        return 3;
      };
      resume = () => void (kernel.reading = true);
      close = () => void (kernel.open = false);
    };
  }

  setMark(): number {
    return 0;
  }

  streamFrom(): number {
    return -1;
  }

  forgetStream(): number {
    return 0;
  }

  sayBehindAck(): number {
    return 0;
  }

  peerCredentials() {
    return { pid: 1, uid: 0, gid: 0 };
  }

  hasCapability(): boolean {
    return this.capable;
  }

  notify(): number {
    return 0;
  }

  confine(): void {}

  runProgram(): number {
    return -1;
  }

  connectUnix(): number {
    return -1;
  }

  subscribe(): number {
    return -1;
  }

  openTunnel(): { readonly fd: number; readonly ifindex: number } {
    return { fd: -1, ifindex: 0 };
  }

  openFrames(): number {
    return -1;
  }

  sendFrame(): number {
    return 0;
  }

  writePacket(): number {
    return 0;
  }

  discardPackets(): void {}

  bpfPrograms(): number {
    return 0;
  }

  sendDescriptors(): number {
    return 0;
  }

  receiveDescriptors() {
    return { octets: 0, descriptors: [] };
  }

  /** One batch; columns that are not given are 0. */
  deliver(...packets: Partial<Record<keyof typeof FIELD, number>>[]): void {
    const { rows, onBatch } = this.options;
    rows.fill(0);
    for (const [index, packet] of packets.entries()) {
      for (const [name, value] of Object.entries(packet)) {
        rows[index * FIELD.ROW + FIELD[name as keyof typeof FIELD]] = value;
      }
    }
    onBatch(packets.length);
  }

  #send(count: number): number {
    this.sends.push(count);
    const taken = Math.min(count, this.takes.shift() ?? count);
    this.#errno = taken < count ? 105 : 0; // ENOBUFS
    const { verdicts, payload } = this.options;
    for (let at = 0; at < taken * VERDICT.ROW; at += VERDICT.ROW) {
      const column = (name: keyof typeof VERDICT) => verdicts[at + VERDICT[name]]!;
      const fields = column('fields');
      const offset = column('payloadOffset');
      this.sent.push({
        packetId: column('packetId'),
        verdict: column('verdict'),
        ...(fields & SET.mark && { mark: column('mark') }),
        ...(fields & SET.connmark && { connmark: { value: column('connmark'), mask: column('connmarkMask') } }),
        ...(fields & SET.payload && { payload: payload.toString('latin1', offset, offset + column('payloadLength')) }),
      });
    }
    return taken;
  }
}
