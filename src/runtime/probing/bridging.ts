/**
 * Probes over a bridge, at both ends of the process: the main thread makes the device when the first of them is to leave, and
 * packet threads send and take what goes over it, by descriptors that they have in memory in common. The socket of frames
 * takes a capability that the process gives up, so it is there from the beginning or not at all.
 */
import type { BridgePort, Misled } from '../../engine/guise/bridge.ts';
import type { BridgeWay, Family } from '../../probe/origin.ts';
import type { NativeBinding } from '../../source/binding.ts';
import { type Device, openDevices } from '../rules/beside/devices.ts';
import { type ReadFile, readKernelFile } from '../rules/beside/kernel-file.ts';
import { openTunnel, setUpTunnel, type Tunnel, type TunnelBinding } from './tunnel.ts';

export interface BridgingOptions {
  readonly binding: TunnelBinding & Parameters<typeof openDevices>[0];
  /** A descriptor; negative where none was to be had. */
  readonly frames: number;
  /** By which what the device takes in is known where a source is asked for. */
  readonly mark: () => number;
  /** For tests. */
  readonly devices?: () => readonly Device[];
  readonly read?: ReadFile;
}

/** The main thread's. */
export class Bridging implements BridgeWay {
  readonly shared = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT);
  readonly #binding: TunnelBinding;
  readonly #frames: number;
  readonly #devices: () => readonly Device[];
  readonly #read: ReadFile;
  readonly #mark: () => number;
  #tunnel: Tunnel | undefined;
  /** Of the rule that is in place. */
  #ruled: number | undefined;
  #unrouted: ReadonlySet<Family> = new Set();
  #missing: string | undefined;
  #lookedAt = -Infinity;

  constructor({ binding, frames, mark, devices, read = readKernelFile }: BridgingOptions) {
    const kernel = devices === undefined ? openDevices(binding) : undefined;
    this.#binding = binding;
    this.#frames = frames;
    this.#mark = mark;
    this.#devices = devices ?? (() => kernel?.read() ?? []);
    this.#read = read;
  }

  open(family: Family): { readonly ifindex: number } | { readonly missing: string } {
    if (performance.now() - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = performance.now();
      this.#missing = this.#frames < 0 ? FRAMELESS : (this.#tagged() ?? this.#make());
    }
    if (this.#missing !== undefined) return { missing: this.#missing };
    return this.#unrouted.has(family) ? { missing: ROUTELESS } : { ifindex: this.#tunnel!.ifindex };
  }

  misled(why: Misled): number {
    return Atomics.load(new Int32Array(this.shared), MISLED[why]);
  }

  /** The queue is told of no tag, and without its own a frame would go elsewhere. */
  #tagged(): string | undefined {
    if (this.#read(TAGGED) === '1')
      return 'bridge-nf-filter-vlan-tagged is 1, and of a frame with a VLAN tag none is told';
    const filtering = this.#devices().find(({ filtersVlans }) => filtersVlans);
    return filtering && `the bridge ${filtering.name} filters VLANs (vlan_filtering), of which nothing is told`;
  }

  /** Another process may have the device still. What was taken away of it is put right. */
  #make(): string | undefined {
    try {
      const tunnel = (this.#tunnel ??= openTunnel(this.#binding));
      const mark = this.#mark();
      this.#unrouted = setUpTunnel(this.#binding, tunnel, { mark, before: this.#ruled ?? mark });
      this.#ruled = mark;
      const words = new Int32Array(this.shared);
      words.set([this.#frames, tunnel.fd]);
      Atomics.store(words, IFINDEX, tunnel.ifindex);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

/** A packet thread's. */
export class BridgeSockets implements BridgePort {
  readonly #binding: FrameBinding;
  readonly #words: Int32Array;

  constructor(binding: FrameBinding, shared: SharedArrayBuffer) {
    this.#binding = binding;
    this.#words = new Int32Array(shared);
  }

  get ifindex(): number {
    return Atomics.load(this.#words, IFINDEX);
  }

  send(ifindex: number, frame: Uint8Array): void {
    this.#binding.sendFrame(this.#words[FRAMES]!, ifindex, frame);
  }

  receive(packet: Uint8Array): void {
    this.#binding.writePacket(this.#words[TUNNEL]!, packet);
  }

  discard(): void {
    this.#binding.discardPackets(this.#words[TUNNEL]!);
  }

  onMisled(why: Misled): void {
    Atomics.add(this.#words, MISLED[why], 1);
  }
}

type FrameBinding = Pick<NativeBinding, 'sendFrame' | 'writePacket' | 'discardPackets'>;

/** The descriptors are there before it is. */
const [FRAMES, TUNNEL, IFINDEX] = [0, 1, 2];
/** How often. */
const MISLED: Readonly<Record<Misled, number>> = { astray: 3, taken: 4 };
const WORDS = 5;
const LOOK_MS = 1_000;
const TAGGED = '/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged';
const FRAMELESS = 'frames cannot be sent: it was started without CAP_NET_RAW, or where no server was to be asked';
const ROUTELESS = 'its device has no route of that family (net.ipv6.conf.default.disable_ipv6 is 1?)';
