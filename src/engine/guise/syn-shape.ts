/**
 * What a SYN shows of the system that sent it and no socket of another system can be given: which options and in which
 * order, the window, what it asks of the way. Reads headers; what is made of it is for others.
 */
import { copyOf } from '../../bytes/copy.ts';
import type { IpView } from '../../packet/ip.ts';
import { plainOptions } from '../../packet/syn-options.ts';
import { OPTION, type TcpView } from '../../packet/tcp.ts';

export interface SynShape {
  /** IPv4's type of service, IPv6's traffic class. */
  readonly trafficClass: number;
  /** Of IPv4: the octet of its flags, and the identification. */
  readonly fragments: number;
  readonly identification: number;
  /** Of IPv6. */
  readonly hasFlowLabel: boolean;
  readonly flags: number;
  readonly window: number;
  /** As they go on to the server. */
  readonly options: Uint8Array;
  /** Undefined: it does not scale. */
  readonly windowScale: number | undefined;
  readonly allowsSack: boolean;
  /** Undefined: it sends no timestamps. */
  readonly timestamp: number | undefined;
}

/**
 * Undefined where it means something for the packets to come that only its own system could mean, or says it in a way that
 * one server reads so and another otherwise.
 */
export function readSynShape(ip: IpView, tcp: TcpView): SynShape | undefined {
  const { bytes, start } = ip;
  // Accurate ECN counts in each packet; a signature is over each.
  if ((tcp.bytes[tcp.start + 12]! & 0xf) !== 0 || tcp.hasSignature) return undefined;
  const options = plainOptions(tcp.bytes.subarray(tcp.start + 20, tcp.dataStart));
  if (!isOrderly(options)) return undefined;
  const scale = placeOf(OPTION.windowScale, options);
  return {
    trafficClass: ip.version === 4 ? bytes[start + 1]! : ((bytes[start]! & 0xf) << 4) | (bytes[start + 1]! >> 4),
    fragments: bytes[start + 6]!,
    identification: identificationOf(ip),
    hasFlowLabel: ip.version === 6 && ((bytes[start + 1]! & 0xf) | bytes[start + 2]! | bytes[start + 3]!) !== 0,
    flags: tcp.flags,
    window: tcp.window,
    options: copyOf(options),
    // RFC 7323 §2.3: more than 14 is taken for 14.
    windowScale: scale < 0 ? undefined : Math.min(options[scale + 2]!, 14),
    allowsSack: placeOf(OPTION.sackPermitted, options) >= 0,
    timestamp: tcp.hasTimestamps ? tcp.tsVal : undefined,
  };
}

/** Whether what is read of its options is there once at the most, and as long as it has to be. */
function isOrderly(options: Uint8Array): boolean {
  return [...LENGTHS].every(([kind, length]) => {
    const at = placeOf(kind, options);
    return at < 0 || (options[at + 1] === length && placeOf(kind, options, at + length) < 0);
  });
}

/** Of IPv4. */
export function identificationOf({ bytes, start }: IpView): number {
  return (bytes[start + 4]! << 8) | bytes[start + 5]!;
}

/** Where in a list of options, whose lengths fit, one of that kind is; -1 where none is. */
export function placeOf(kind: number, options: Uint8Array, from = 0, to = options.length): number {
  for (let at = from; at < to && options[at] !== OPTION.end;) {
    if (options[at] === kind) return at;
    at += options[at] === OPTION.noOperation ? 1 : options[at + 1]!;
  }
  return -1;
}

/** RFC 9293 §3.2, RFC 7323 §2.2 and §3.2, RFC 2018 §2. */
const LENGTHS: ReadonlyMap<number, number> = new Map([
  [OPTION.maximumSegmentSize, 4],
  [OPTION.windowScale, 3],
  [OPTION.sackPermitted, 2],
  [OPTION.timestamps, 10],
]);
