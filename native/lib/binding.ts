/**
 * The native addon, loaded and typed. Its own words for things are in addon.c; numbers that both sides use are declared
 * here once for TypeScript. Knows no policy: callers turn errnos into sentences.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export interface NativeQueueOptions {
  readonly queueNum: number;
  /** Packets that the kernel keeps. */
  readonly maxLength: number;
  /** Octets. */
  readonly receiveBuffer: number;
  readonly failOpen: boolean;
  /** NFQA_CFG_F_GSO. */
  readonly gso: boolean;
  /** Ask for NFQA_CT. */
  readonly conntrack: boolean;
  /** A socket that another process has bound and configured; `conntrack` is then what it was granted. -1: none. */
  readonly handed: number;
  /** `SLOT` octets a message. Must never be detached while the queue is open. */
  readonly slab: Buffer;
  /** `FIELD.ROW` words a message. */
  readonly rows: Uint32Array;
  /** `VERDICT.ROW` words a verdict. */
  readonly verdicts: Uint32Array;
  /** What VERDICT.payloadOffset counts from. */
  readonly payload: Buffer;
  readonly onBatch: (count: number) => void;
  readonly onError: (errno: number) => void;
}

export interface NativeQueue {
  /** Whether NFQA_CT was granted. */
  readonly conntrack: boolean;
  /** Octets that the kernel granted (it doubles what it is asked for). */
  readonly receiveBuffer: number;
  /** Sends the first `count` rows of `verdicts`; returns how many the kernel took. */
  send(count: number): number;
  /** Why the last `send` took fewer than it was given; 0 when it took all. */
  sendErrno(): number;
  counters(): { received: number; enobufs: number; verdictErrors: number; malformed: number };
  /** Reads no more, and what comes waits in the socket; its descriptor, which stays the queue's. */
  pause(): number;
  /** Reads on. */
  resume(): void;
  /** Unbinds at once, unless another process has the socket too; the kernel drops what is queued. */
  close(): void;
}

export interface NativeBinding {
  /** Throws an Error with `errno` and `operation`. */
  readonly Queue: new (options: NativeQueueOptions) => NativeQueue;
  /** Octets of slab that one message needs. */
  readonly SLOT: number;
  /** SO_MARK; 0 or an errno. */
  setMark(fd: number, mark: number): number;
  /**
   * A socket, which the caller closes, for a TCP connection that is still to be begun from this address and port;
   * `options` are three numbers each: level, name and value. The descriptor, or a negated errno.
   */
  streamFrom(address: Buffer, port: number, options: Int32Array): number;
  /**
   * What the kernel keeps of such a connection that is over goes, where both ends used timestamps: whoever's address it is
   * may use the port again. Nothing is sent; 0 or an errno.
   */
  forgetStream(address: Buffer, port: number, toAddress: Buffer, toPort: number, options: Int32Array): number;
  /**
   * On a connection whose SYN/ACK is still unanswered (TCP_DEFER_ACCEPT): the acknowledgment, and these octets right behind
   * it. How many of them were taken, or a negated errno.
   */
  sayBehindAck(fd: number, octets: Buffer): number;
  /** Whether this thread has a capability of linux/capability.h in effect. */
  hasCapability(capability: number): boolean;
  /** One datagram to the service manager, and descriptors beside it; 0 or an errno. */
  notify(path: string, message: string, descriptors: readonly number[]): number;
  /** Who connected to a unix socket (SO_PEERCRED). Throws an Error with `errno` and `operation`. */
  peerCredentials(fd: number): PeerCredentials;
  /**
   * The descriptor, which the caller closes and no call waits for, of a unix stream, or of a socket of datagrams. Throws an
   * Error with `errno` and `operation`.
   */
  connectUnix(path: string, isOfDatagrams?: boolean): number;
  /**
   * The descriptor, which the caller closes and no call waits for, of a netlink socket that hears of these groups (a bit each,
   * the first one the lowest). `askedFor`: of that only which a program has asked the kernel to do. Throws an Error with
   * `errno` and `operation`.
   */
  subscribe(protocol: number, groups: number, askedFor: boolean): number;
  /**
   * A device of that name which has what is written to the descriptor for received, IP packets (tun); it is there until the
   * descriptor is closed. Throws an Error with `errno` and `operation`.
   */
  openTunnel(name: string): { readonly fd: number; readonly ifindex: number };
  /** A socket of whole frames that hears none (packet(7)); a negated errno where there is none: it takes CAP_NET_RAW. */
  openFrames(): number;
  /** By a device; 0 or an errno. */
  sendFrame(fd: number, ifindex: number, frame: Uint8Array): number;
  /** A packet that `openTunnel`'s device is to have received; 0 or an errno. */
  writePacket(fd: number, packet: Uint8Array): number;
  /** What that device was given to send goes. */
  discardPackets(fd: number): void;
  /** How many BPF programs are attached to a device by way of that attach type (linux/bpf.h); or a negated errno. */
  bpfPrograms(ifindex: number, attachType: number): number;
  /** How many octets were taken, at least one, and the descriptors with them; or a negated errno. */
  sendDescriptors(fd: number, octets: Buffer, descriptors: readonly number[]): number;
  /** `octets`: how many there are in `into` now, 0 at the end, or a negated errno. The descriptors are the caller's. */
  receiveDescriptors(fd: number, into: Buffer): { readonly octets: number; readonly descriptors: readonly number[] };
  /**
   * Gives up, in every thread and for good, all capabilities but one, and becomes a user, by name or number, where one is
   * named. No core dumps. Throws an Error with `errno` and `operation`, after which the process must not go on.
   */
  confine(user: string | undefined, capability: number): void;
  /**
   * Runs a program, looked for in $PATH, in a thread of its own and without a copy of this process. 0, or an errno: `onEnd` is
   * not called then.
   */
  runProgram(options: NativeProgramOptions, onEnd: (ending: NativeProgramEnding) => void): number;
}

export interface NativeProgramOptions {
  /** Its name and its arguments. */
  readonly argv: readonly string[];
  /** Undefined: nothing to read. */
  readonly input: string | undefined;
  /** Standard output or errors; the other one goes nowhere. */
  readonly kept: 1 | 2;
  /** What takes longer, or prints more, is killed. */
  readonly patienceMs: number;
  readonly mostOctets: number;
}

export interface NativeProgramEnding {
  /** Not 0 where it could not be started and nothing has run; ENOSYS before Linux 5.4. */
  readonly errno: number;
  readonly tookTooLong: boolean;
  readonly saidTooMuch: boolean;
  /** The exit status, or the signal that ended it where that is not 0; both -1 where nobody knows. */
  readonly status: number;
  readonly signal: number;
  readonly output: string;
}

/** Of a process, as of the moment when it connected. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Columns of a verdict's row (nfqueue.h). */
export const VERDICT = {
  packetId: 0,
  verdict: 1,
  /** `SET` bits: which of the columns below count. */
  fields: 2,
  mark: 3,
  connmark: 4,
  connmarkMask: 5,
  payloadOffset: 6,
  payloadLength: 7,
  ROW: 8,
} as const;

export const SET = { mark: 0x1, connmark: 0x2, payload: 0x4 } as const;

/** Grows with the addon's surface, there and here. */
const INTERFACE = 8;

/** linux/capability.h */
export const CAP_NET_ADMIN = 12;

let loaded: NativeBinding | undefined;

/** Compiled on this machine where that was done, else the one of this package's that fits it. */
export function loadBinding(): NativeBinding {
  loaded ??= ofThisVersion(load());
  return loaded;
}

interface LoadedAddon extends NativeBinding {
  readonly INTERFACE?: number;
}

function load(): LoadedAddon {
  try {
    return findAddon(PACKAGE) as LoadedAddon;
  } catch (cause) {
    throw new Error(
      `${PACKAGE}: the native addon cannot be loaded (build it with \`npm rebuild node-nfqueue\`, which takes a C compiler)`,
      { cause },
    );
  }
}

function ofThisVersion(addon: LoadedAddon): NativeBinding {
  if (addon.INTERFACE === INTERFACE) return addon;
  throw new Error(
    `${PACKAGE}: the native addon is of another version than this program (build both: \`npm run build\`)`,
  );
}

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
/** It has no types. */
const findAddon = createRequire(import.meta.url)('node-gyp-build') as (directory: string) => unknown;
