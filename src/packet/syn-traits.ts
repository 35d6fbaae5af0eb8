/**
 * What a client's SYN tells that a socket of this host can be given too: the hop limit with which it goes on, the segments
 * that it takes, how it scales windows, and whether its way is over a bridge. One small number, since every half-open connection keeps it.
 */
import type { IpView } from './ip.ts';
import { OPTION, type TcpView } from './tcp.ts';

export interface SynTraits {
  readonly hopLimit: number;
  /** 0: it does not say. */
  readonly maximumSegmentSize: number;
  /** Undefined: it does not. */
  readonly windowScale: number | undefined;
  /** A bridge sends it on: whoever else is to come the same way has none by routes. */
  readonly isBridged: boolean;
}

export function packSynTraits(ip: IpView, tcp: TcpView, isBridged: boolean): number {
  const hopLimit = ip.bytes[ip.start + (ip.version === 4 ? 8 : 7)]!;
  let [size, scale] = [0, NO_SCALE];
  const { bytes, dataStart } = tcp;
  for (let at = tcp.start + 20; at < dataStart && bytes[at] !== OPTION.end;) {
    const kind = bytes[at]!;
    const length = kind === OPTION.noOperation ? 1 : bytes[at + 1]!;
    if (kind === OPTION.maximumSegmentSize && length === 4) size = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    // RFC 7323 §2.3: more than 14 is taken for 14.
    if (kind === OPTION.windowScale && length === 3) scale = Math.min(bytes[at + 2]!, 14);
    at += length;
  }
  return hopLimit | (scale << 8) | (Math.min(size, MOST_SIZE) << 12) | (isBridged ? BRIDGED : 0);
}

/** Undefined where none was seen. */
export function readSynTraits(packed: number): SynTraits | undefined {
  if (packed === 0) return undefined;
  const scale = (packed >> 8) & 0xf;
  return {
    hopLimit: packed & 0xff,
    maximumSegmentSize: (packed >> 12) & MOST_SIZE,
    windowScale: scale === NO_SCALE ? undefined : scale,
    isBridged: (packed & BRIDGED) !== 0,
  };
}

const NO_SCALE = 15;
/** Of larger ones nothing is sent in one piece. */
const MOST_SIZE = 0x3fff;
const BRIDGED = 1 << 26;
