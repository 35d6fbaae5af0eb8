/**
 * What somebody at the server's side sees of connections: a line a packet, as test/support/peers/sniffer.py prints them,
 * made into one record for each connection. Says nothing of whose it is.
 */
import { createHash } from 'node:crypto';

import { isFault } from '../../src/bytes/fault.ts';
import { IP, IpView } from '../../src/packet/ip.ts';
import { OPTION, TCP_FLAG, TcpView } from '../../src/packet/tcp.ts';
import { readHelloParts } from '../../src/probe/mirror.ts';
import { isGrease } from '../../src/tls/grease.ts';

export interface Seen {
  readonly address: string;
  readonly port: number;
  /** From the nearest port that was taken for this server before; NaN: it is the first. */
  readonly step: number;
  readonly serverPort: number;
  readonly hopLimit: number;
  readonly syn: Syn;
  /** Milliseconds, on one clock for all connections; NaN: it never came. */
  readonly times: Times;
  /** Of the SYN, and of the first packet with data. */
  readonly ids: readonly [number, number];
  /** Timestamps (RFC 7323) of SYN, hello and acknowledgment, less the milliseconds at which they came; 0: it has none. */
  readonly clocks: readonly [number, number, number];
  /** Of the hello, and its traffic class. */
  readonly window: number;
  readonly traffic: number;
  readonly hello: Hello;
  readonly behind: Behind;
}

export interface Times {
  readonly syn: number;
  readonly ack: number;
  readonly hello: number;
  /** The server's first octet, and the first packet that acknowledges one. */
  readonly answer: number;
  readonly heard: number;
  readonly last: number;
}

export interface Syn {
  readonly window: number;
  readonly maximumSegmentSize: number;
  readonly windowScale: number;
  readonly timestamp: number;
  readonly flags: number;
  /** Kinds of its options, in their order. */
  readonly layout: string;
}

export interface Hello {
  readonly octets: number;
  readonly segments: number;
  readonly records: number;
  readonly recordVersion: number;
  /** All that does not change from one connection of a client to the next. */
  readonly shape: string;
  readonly extensions: number;
}

/** What the client's side does once the server has answered. */
export interface Behind {
  readonly octets: number;
  readonly packets: number;
  readonly fin: number;
  readonly rst: number;
}

/** Of whole connections to one of these ports, with a hello. */
export function connectionsOf(lines: readonly string[], isServerPort: (port: number) => boolean): Seen[] {
  const [ip, tcp] = [new IpView(), new TcpView()];
  const under = new Map<string, Watched>();
  const done: Unplaced[] = [];
  for (const line of lines) {
    const [time = '', hex = ''] = line.split(' ');
    const bytes = Buffer.from(hex, 'hex');
    if (ip.parse(bytes, 0, bytes.length) !== IP.ok || !tcp.parse(ip)) continue;
    const isFromClient = isServerPort(tcp.dstPort);
    if (!isFromClient && !isServerPort(tcp.srcPort)) continue;
    const [client, server] = isFromClient ? [tcp.srcPort, tcp.dstPort] : [tcp.dstPort, tcp.srcPort];
    const at = ip.addresses + (isFromClient ? 0 : ip.addressLength);
    const address = bytes.subarray(at, at + ip.addressLength).toString('hex');
    const key = `${address} ${client} ${server}`;
    if (isFromClient && tcp.has(TCP_FLAG.syn)) {
      const before = under.get(key);
      if (before?.isRepeated(tcp.seq)) continue;
      under.set(key, new Watched(address, bytes, ip, tcp, Number(time) / 1000));
      if (before !== undefined) done.push(...before.seen());
    } else {
      under.get(key)?.add(bytes, ip, tcp, Number(time) / 1000, isFromClient);
    }
  }
  return withSteps([...done, ...[...under.values()].flatMap((each) => each.seen())]);
}

type Unplaced = Omit<Seen, 'step'>;

function withSteps(all: readonly Unplaced[]): Seen[] {
  const taken = new Map<string, number[]>();
  const inTurn = [...all].sort((a, b) => a.times.syn - b.times.syn);
  return inTurn.map((seen) => {
    const { address, port, serverPort } = seen;
    const key = `${address} ${serverPort}`;
    const before = taken.get(key) ?? [];
    taken.set(key, [...before, port]);
    const steps = before.map((other) => port - other).sort((a, b) => Math.abs(a) - Math.abs(b));
    return { ...seen, step: steps[0] ?? NaN };
  });
}

class Watched {
  readonly #first: Pick<Unplaced, 'address' | 'port' | 'serverPort' | 'hopLimit' | 'syn'>;
  readonly #seq: number;
  readonly #times: { -readonly [Name in keyof Times]: number };
  #firstAck = NaN;
  readonly #ids: [number, number];
  readonly #clocks: [number, number, number];
  #window = NaN;
  #traffic = NaN;
  /** By place, so that what is repeated counts once. */
  readonly #data = new Map<number, Buffer>();
  readonly #behind = { octets: 0, packets: 0, fin: 0, rst: 0 };
  #isAnswered = false;

  constructor(address: string, bytes: Buffer, ip: IpView, tcp: TcpView, time: number) {
    const hopLimit = bytes[ip.version === 4 ? 8 : 7]!;
    this.#first = { address, port: tcp.srcPort, serverPort: tcp.dstPort, hopLimit, syn: synOf(bytes, tcp) };
    this.#seq = tcp.seq;
    this.#times = { syn: time, ack: NaN, hello: NaN, answer: NaN, heard: NaN, last: time };
    this.#ids = [idOf(bytes, ip), NaN];
    this.#clocks = [clockOf(tcp, time), NaN, NaN];
  }

  isRepeated(seq: number): boolean {
    return seq === this.#seq;
  }

  add(bytes: Buffer, ip: IpView, tcp: TcpView, time: number, isFromClient: boolean): void {
    this.#times.last = time;
    if (!isFromClient) {
      if (tcp.dataLength > 0 && !this.#isAnswered) this.#times.answer = time;
      if (tcp.dataLength > 0) this.#isAnswered = true;
      return;
    }
    if (Number.isNaN(this.#times.ack)) {
      this.#times.ack = time;
      this.#firstAck = tcp.ack;
      this.#clocks[2] = clockOf(tcp, time);
    }
    if (Number.isNaN(this.#times.heard) && tcp.ack !== this.#firstAck) this.#times.heard = time;
    if (this.#isAnswered) this.#addBehind(tcp);
    if (this.#isAnswered || tcp.dataLength === 0) return;
    if (Number.isNaN(this.#times.hello)) {
      this.#times.hello = time;
      this.#ids[1] = idOf(bytes, ip);
      this.#clocks[1] = clockOf(tcp, time);
      this.#window = tcp.window;
      this.#traffic = bytes.readUInt16BE(ip.start) & 0xff0;
    }
    this.#data.set(tcp.seq, Buffer.from(bytes.subarray(tcp.dataStart, tcp.dataEnd)));
  }

  /** None where nothing was said. */
  seen(): Unplaced[] {
    const pieces = [...this.#data.entries()].sort(([a], [b]) => (a - b) | 0).map(([, piece]) => piece);
    const hello = helloOf(Buffer.concat(pieces), pieces.length);
    if (hello === undefined) return [];
    const carried = { clocks: this.#clocks, window: this.#window, traffic: this.#traffic };
    return [{ ...this.#first, ...carried, times: this.#times, ids: this.#ids, hello, behind: this.#behind }];
  }

  #addBehind(tcp: TcpView): void {
    this.#behind.packets++;
    this.#behind.octets += tcp.dataLength;
    if (tcp.has(TCP_FLAG.fin)) this.#behind.fin = 1;
    if (tcp.has(TCP_FLAG.rst)) this.#behind.rst = 1;
  }
}

function synOf(bytes: Buffer, tcp: TcpView): Syn {
  const kinds: number[] = [];
  const values = new Map<number, number>();
  for (let at = tcp.start + 20; at < tcp.dataStart;) {
    const kind = bytes[at]!;
    kinds.push(kind);
    if (kind === OPTION.end) break;
    const length = kind === OPTION.noOperation ? 1 : bytes[at + 1]!;
    if (length > 2) values.set(kind, bytes.readUIntBE(at + 2, Math.min(length - 2, 4)));
    at += length;
  }
  return {
    window: tcp.window,
    maximumSegmentSize: values.get(OPTION.maximumSegmentSize) ?? -1,
    windowScale: values.get(OPTION.windowScale) ?? -1,
    timestamp: values.get(OPTION.timestamps) ?? -1,
    flags: tcp.flags,
    layout: kinds.join(' '),
  };
}

/** RFC 791: of IPv6, its flow label. */
function idOf(bytes: Buffer, ip: IpView): number {
  return ip.version === 4 ? bytes.readUInt16BE(4) : bytes.readUIntBE(1, 3) & 0xf_ffff;
}

function clockOf({ hasTimestamps, tsVal }: TcpView, time: number): number {
  return hasTimestamps ? Math.round((tsVal - time) | 0) : 0;
}

/** In as many records as it came. */
function helloOf(octets: Buffer, segments: number): Hello | undefined {
  const payloads: Buffer[] = [];
  for (let at = 0; at + 5 <= octets.length && octets[at] === 22;) {
    const length = octets.readUInt16BE(at + 3);
    payloads.push(octets.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  const message = Buffer.concat(payloads);
  const parts = message[0] === 1 ? readHelloParts(message.subarray(4, 4 + message.readUIntBE(1, 3))) : undefined;
  if (parts === undefined || isFault(parts)) return undefined;
  const { hello, extensions } = parts;
  const masked = (number: number) => (isGrease(number) ? 'G' : `${number}`);
  const bodies = [...extensions].map(([type, body]) => `${masked(type)}:${body.length}`);
  const suites = hello.cipherSuites.map(masked);
  return {
    octets: octets.length,
    segments,
    records: payloads.length,
    recordVersion: octets.readUInt16BE(1),
    shape: [hello.legacyVersion, hello.sessionId.length, ...suites, '|', ...bodies].join(' '),
    extensions: extensions.types.length,
  };
}

/** Of equal texts an equal number. */
export function numberOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt16BE();
}
