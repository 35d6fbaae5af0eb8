/**
 * Whose address probes leave with: their client's own, where a socket may have it and what is answered comes back to this
 * host, or otherwise the one that this host has itself. Knows sockets by their descriptors, and nothing of rules: which of
 * the answers come back it is told, and what became of those that should have it counts.
 */
import { randomInt } from 'node:crypto';
import { networkInterfaces } from 'node:os';

import { LRUCache } from 'lru-cache';

import type { Endpoint } from '../judge/events.ts';
import type { ProbeEnds, ProbeRequest, ProbeRole } from '../judge/ports.ts';
import type { ProbeSource } from '../pins/policy.ts';
import { addressText, isIpv4 } from './address.ts';

export type Family = 'ipv4' | 'ipv6';

/** Another's address for one connection. */
export interface Origin {
  readonly family: Family;
  /** Nothing leaves with this host's own, whatever comes of it. */
  readonly isOnly: boolean;
  /** A socket with it, for a connection that is still to be begun; undefined where none is to be had. */
  open(server: Endpoint): OpenedOrigin | undefined;
}

/** A connection with another's address, ahead of its first packet. */
export interface DialledAsClient {
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly probePort: number;
  readonly role: ProbeRole;
}

/** What the rules do for probes with their clients' addresses, by family. */
export interface ProbeWays {
  /** What is answered to them comes back to this host. */
  readonly returning: ReadonlySet<Family>;
  /** Their packets come through the queue, where they are given their clients' TCP. */
  readonly queued: ReadonlySet<Family>;
  /** Those of clients behind a bridge are led to the device that takes them. */
  readonly bridged: ReadonlySet<Family>;
}

/** Where probes leave whose clients are behind a bridge, that no route leads to. */
export interface BridgeWay {
  /** The device to which a socket of such a probe is bound; where there is none, why. */
  open(family: Family): { readonly ifindex: number } | { readonly missing: string };
  /** How many packets went nowhere, since it is not known where their client's go; or since that has their port itself. */
  misled(why: 'astray' | 'taken'): number;
}

export interface OpenedOrigin {
  /** A descriptor. */
  readonly fd: number;
  /** The connection to there is over: the client may use its port itself. */
  forget(server: Endpoint): void;
  /** Acknowledges the server's SYN, which waits until then, and says this right behind it: how much of it was taken. */
  readonly sayFirst?: ((words: Uint8Array) => number) | undefined;
}

/** What makes such sockets: options are three numbers each, as setsockopt takes them; errnos are negated, or 0 for none. */
export interface Streams {
  streamFrom(address: Buffer, port: number, options: Int32Array): number;
  forgetStream(address: Buffer, port: number, toAddress: Buffer, toPort: number, options: Int32Array): number;
  sayBehindAck(fd: number, octets: Buffer): number;
}

/** As which probes of a family leave now, and if not as their clients, why. */
export interface OriginState {
  readonly asked: ProbeSource;
  readonly ipv4: string;
  readonly ipv6: string;
  /** The last one whose client is behind a bridge; null: there was none. */
  readonly bridge: string | null;
  /** Those that had no way at all. */
  readonly unbridged: number;
}

export interface OriginsOptions {
  /** Undefined where no such socket can be had. */
  readonly streams?: Streams | undefined;
  readonly onDialled?: ((dialled: DialledAsClient) => void) | undefined;
  readonly bridge?: BridgeWay | undefined;
  /** Whether this host gets there with an address of its own. */
  readonly reaches?: ((server: Uint8Array) => boolean) | undefined;
  /** For tests. */
  readonly ownAddresses?: () => ReadonlySet<string>;
  readonly now?: () => number;
}

export class Origins {
  readonly #streams: Streams | undefined;
  readonly #onDialled: OriginsOptions['onDialled'];
  readonly #bridge: BridgeWay;
  readonly #reaches: (server: Uint8Array) => boolean;
  readonly #ownAddresses: () => ReadonlySet<string>;
  readonly #now: () => number;
  #asked: ProbeSource = 'gateway';
  /** Until the rules can be read those over bridges count as there: without them nothing is lost but the wait. */
  #ways: ProbeWays = { returning: new Set(), queued: new Set(), bridged: new Set(['ipv4', 'ipv6']) };
  /** How the last probe left whose client is behind a bridge. */
  #overBridge: string | null = null;
  #unbridged = 0;
  /** Of those that took the bridge, how many were seen to go nowhere, and whether the latest has another way. */
  #astray = 0;
  #hasOwnWay = false;
  /** Those that was seen of. */
  readonly #starved = new LRUCache<string, true>({ max: 1_024 });
  readonly #silence: Record<Family, Silence> = { ipv4: NO_SILENCE, ipv6: NO_SILENCE };

  constructor({
    streams,
    onDialled,
    bridge = NO_BRIDGE,
    reaches = () => true,
    ownAddresses = addressesOfThisHost(),
    now = () => performance.now(),
  }: OriginsOptions) {
    this.#streams = streams;
    this.#onDialled = onDialled;
    this.#bridge = bridge;
    this.#reaches = reaches;
    this.#ownAddresses = ownAddresses;
    this.#now = now;
  }

  configure(asked: ProbeSource): void {
    this.#asked = asked;
  }

  adopt(ways: ProbeWays): void {
    for (const family of ways.returning) {
      // Something was mended.
      if (!this.#ways.returning.has(family)) this.#silence[family] = NO_SILENCE;
    }
    this.#ways = ways;
  }

  /** Whether nothing is to leave with another address than the client's. */
  get isStrict(): boolean {
    return this.#asked === 'client';
  }

  /** Undefined: the client's address is not to be had. Of a decoy nothing is acknowledged ahead of the first word. */
  of({ client, server, synTraits: traits }: ProbeEnds, role: ProbeRole = 'awaited'): Origin | undefined {
    const { address, port } = client;
    const streams = this.#streams;
    const family = isIpv4(address) ? 'ipv4' : 'ipv6';
    if (streams === undefined || isLinkLocal(address)) return undefined;
    const isOwn = this.#ownAddresses().has(addressText(address));
    const isBridged = !isOwn && traits?.isBridged === true;
    if (!isBridged && (this.#asked === 'gateway' || !(isOwn || this.#isUsable(family)))) return undefined;
    const device = isBridged ? this.#deviceFor(family, server) : [];
    if (device === undefined) return undefined;
    const isSilent = role === 'decoy';
    const options = [
      ...(isOwn ? [] : TRANSPARENT[family]),
      ...device,
      ...optionsOf(family, traits),
      ...(isSilent ? SILENT : []),
    ];
    const open = (server: Endpoint) => {
      const opened = openAny(streams, Buffer.from(address), port, Int32Array.from(options));
      if (opened === undefined) return undefined;
      if (!isOwn) this.#onDialled?.({ client, server, probePort: opened.port, role });
      return isSilent ? withFirstWord(streams, opened) : opened;
    };
    return { family, isOnly: this.#asked !== 'auto', open };
  }

  /** The server has answered. */
  onHeard({ family }: Origin): void {
    this.#silence[family] = NO_SILENCE;
  }

  /** It has not, but to this host's own address. Once in a while it is tried again. */
  onUnheard({ family }: Origin): void {
    const inARow = this.#silence[family].inARow + 1;
    this.#silence[family] = { inARow, until: inARow < PATIENCE ? 0 : this.#now() + SPELL_MS };
  }

  /** Whether a probe of it may speak behind its client: not where one that did was not answered. */
  mayPause(server: Endpoint): boolean {
    return !this.#starved.has(`${addressText(server.address)} ${server.port}`);
  }

  onStarved(server: Endpoint): void {
    this.#starved.set(`${addressText(server.address)} ${server.port}`, true);
  }

  /** How often a probe over a bridge had a port that its client has a connection by. */
  get portsTaken(): number {
    return this.#bridge.misled('taken');
  }

  get state(): OriginState {
    this.#countAstray();
    return {
      asked: this.#asked,
      ipv4: this.#stateOf('ipv4'),
      ipv6: this.#stateOf('ipv6'),
      bridge: this.#overBridge,
      unbridged: this.#unbridged,
    };
  }

  /**
   * To which the socket is bound of a probe whose client's packets go over a bridge, as an option; undefined where none can, or
   * none is to: this host's own address is asked for, and leads there.
   */
  #deviceFor(family: Family, server: Endpoint): number[] | undefined {
    this.#countAstray();
    const isOwnWay = this.#asked !== 'client' && this.#reaches(server.address);
    if (this.#asked === 'gateway' && isOwnWay) {
      this.#overBridge = 'gateway';
      return undefined;
    }
    const found = this.#overBridgeTo(family);
    if ('missing' in found) {
      if (!isOwnWay) this.#unbridged++;
      this.#overBridge = `${isOwnWay ? 'gateway' : 'none'}: ${found.missing}`;
      return undefined;
    }
    this.#hasOwnWay = isOwnWay;
    this.#overBridge = this.#asked === 'gateway' ? `client: ${UNREACHED}` : 'client';
    return [...BOUND_TO, found.ifindex];
  }

  /** Told late, it is taken for the latest one's. */
  #countAstray(): void {
    const astray = this.#bridge.misled('astray');
    if (astray === this.#astray) return;
    if (!this.#hasOwnWay) this.#unbridged += astray - this.#astray;
    this.#astray = astray;
    this.#overBridge = `${this.#hasOwnWay ? 'gateway' : 'none'}: ${ASTRAY}`;
  }

  #overBridgeTo(family: Family): ReturnType<BridgeWay['open']> {
    if (!this.#isHeard(family)) return { missing: UNHEARD };
    return this.#ways.bridged.has(family) ? this.#bridge.open(family) : UNLED;
  }

  get #instead(): string {
    return this.isStrict ? 'none' : 'gateway';
  }

  #stateOf(family: Family): string {
    if (this.#asked === 'gateway') return 'gateway';
    const instead = this.#instead;
    if (this.#streams === undefined) return `${instead}: no socket can have another address here`;
    if (!this.#ways.returning.has(family)) {
      return `${instead}: the rules do not bring its answers back (apply them again)`;
    }
    if (this.#isUsable(family)) return this.#ways.queued.has(family) ? 'client' : UNQUEUED;
    return `${instead}: ${UNHEARD}`;
  }

  #isUsable(family: Family): boolean {
    return this.#ways.returning.has(family) && this.#isHeard(family);
  }

  #isHeard(family: Family): boolean {
    return this.#asked !== 'auto' || this.#silence[family].until <= this.#now();
  }
}

interface Silence {
  readonly inARow: number;
  /** When it is tried again. */
  readonly until: number;
}

/** Of the client's own SYN. */
export type OriginTraits = NonNullable<ProbeRequest['synTraits']>;

/** What a socket can be given of them. Windows are scaled as far as the largest one takes it, which is the least here. */
function optionsOf(family: Family, traits: OriginTraits | undefined): number[] {
  if (traits === undefined) return [];
  const { hopLimit, maximumSegmentSize, windowScale } = traits;
  return [
    ...(hopLimit > 0 ? [...HOP_LIMIT[family], hopLimit] : []),
    ...(maximumSegmentSize >= LEAST_SEGMENT ? [...MAXIMUM_SEGMENT_SIZE, maximumSegmentSize] : []),
    ...(windowScale !== undefined && windowScale > 0 ? [...WINDOW_CLAMP, 2 ** (16 + windowScale) - 1] : []),
  ];
}

/** On a port that its system might choose too: one that the client has already is no use. */
function openAny(streams: Streams, address: Buffer, clientPort: number, options: Int32Array): Opened | undefined {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = drawPort(clientPort);
    const fd = streams.streamFrom(address, port, options);
    if (fd < 0) continue;
    const forget = (server: Endpoint) =>
      void streams.forgetStream(address, port, Buffer.from(server.address), server.port, options);
    return { fd, port, forget };
  }
  return undefined;
}

interface Opened extends OpenedOrigin {
  readonly port: number;
}

function withFirstWord(streams: Streams, opened: OpenedOrigin): OpenedOrigin {
  return { ...opened, sayFirst: (words) => streams.sayBehindAck(opened.fd, Buffer.from(words)) };
}

/** Of the range that the client's port is of; even where it is even, since Linux takes those for connections. */
export function drawPort(clientPort: number): number {
  const [first, last] = PORT_RANGES.find(([from, to]) => from <= clientPort && clientPort <= to) ?? PORT_RANGES[0]!;
  for (;;) {
    const port = first + 2 * randomInt(Math.floor((last - first + 1) / 2)) + (clientPort & 1);
    if (port !== clientPort) return port;
  }
}

/** Without its scope such an address is nobody's. */
function isLinkLocal(address: Uint8Array): boolean {
  return address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

/** Asked anew each second at the most. */
function addressesOfThisHost(): () => ReadonlySet<string> {
  let known: ReadonlySet<string> = new Set();
  let atMs = -Infinity;
  return () => {
    if (performance.now() - atMs < 1_000) return known;
    atMs = performance.now();
    const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    known = new Set(all.map(({ address, family }) => (family === 'IPv6' ? fullText(address) : address)));
    return known;
  };
}

/** As `addressText` writes it. */
function fullText(address: string): string {
  const [left = '', right] = address.split('%')[0]!.split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const [head, tail] = [groups(left), groups(right ?? '')];
  const missing = right === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array<string>(missing).fill('0'), ...tail].join(':');
}

/** linux/in.h, linux/in6.h: SOL_IP, IP_TRANSPARENT; SOL_IPV6, IPV6_TRANSPARENT. */
const TRANSPARENT: Readonly<Record<Family, readonly number[]>> = { ipv4: [0, 19, 1], ipv6: [41, 75, 1] };
/** asm-generic/socket.h: SOL_SOCKET, SO_BINDTOIFINDEX. */
const BOUND_TO: readonly number[] = [1, 62];
/** IP_TTL, IPV6_UNICAST_HOPS. */
const HOP_LIMIT: Readonly<Record<Family, readonly number[]>> = { ipv4: [0, 2], ipv6: [41, 16] };
/** linux/tcp.h: TCP_MAXSEG, of 88 octets at the least, and TCP_WINDOW_CLAMP. */
const [MAXIMUM_SEGMENT_SIZE, WINDOW_CLAMP] = [
  [6, 2],
  [6, 10],
];
const LEAST_SEGMENT = 88;
/** TCP_DEFER_ACCEPT: of one who connects, the acknowledgment of the server's SYN comes with data, or a fifth of a second later. */
const SILENT: readonly number[] = [6, 9, 1];
/** Linux's range, that of RFC 6335, and what is left. */
const PORT_RANGES: readonly (readonly [number, number])[] = [
  [32_768, 60_999],
  [49_152, 65_535],
  [10_240, 32_767],
];
const UNQUEUED = "client, with this host's TCP: the rules do not send its packets to the queue (apply them again)";
const UNHEARD = "what was sent by the client's address was not answered";
const UNREACHED = 'this host has no address of its own that leads there';
const UNLED = { missing: 'the rules do not lead them there (apply them again)' };
const ASTRAY = "where its client's packets go was not seen, or they go to more than one address on the link";
const NO_BRIDGE: BridgeWay = { open: () => ({ missing: 'frames cannot be sent here' }), misled: () => 0 };
const NO_SILENCE: Silence = { inARow: 0, until: 0 };
const TRIES = 4;
/** Probes in a row that were answered to this host's address alone, and for how long that is taken for how it is. */
const PATIENCE = 3;
const SPELL_MS = 300_000;
