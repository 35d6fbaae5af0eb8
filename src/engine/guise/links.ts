/**
 * Where clients' packets go over a bridge, connection by connection. Anybody on the link can send a SYN in a client's name: each
 * sender's is kept, and counts once a SYN/ACK to it was let pass, which the flow's rules decide; from where that came is who is
 * asked. Where what comes behind it tells of another one, nobody knows, and nothing goes there any more. Knows no probes.
 *
 *   SYN ─▶ candidate ── SYN/ACK, let pass, and not from the client's own side ─▶ the link ── the server's next from elsewhere ─▶ astray
 */
import { LRUCache } from 'lru-cache';

import type { PacketContext } from '../../packet/context.ts';
import { TCP_FLAG } from '../../packet/tcp.ts';
import { seqAdd } from '../../tcp/sequence.ts';

export interface Link {
  /** By which the client's packets leave the bridge. */
  readonly port: number;
  /** Addresses on the link, as numbers. */
  readonly client: number;
  /** Undefined: it has not answered yet. */
  server: number | undefined;
  /** It was more than one who did. */
  isAstray: boolean;
  /** What was to leave before it had. */
  readonly unaddressed: Uint8Array[];
}

export interface LinksOptions {
  /** `left`: once the packet at hand is let pass. */
  readonly whenLeft: (p: PacketContext, left: () => void) => void;
  /** Who is asked is known now. */
  readonly onAnswered: (link: Link) => void;
}

export class Links {
  readonly #options: LinksOptions;
  /** By the connection's name; the latest comes last. */
  readonly #candidates = new LRUCache<string, readonly Candidate[]>({ max: CONNECTIONS });

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** A client's packet, or its server's, that a bridge sends on. */
  onPacket(p: PacketContext, asClient: string, asServer: string): void {
    const { tcp } = p;
    if (tcp.has(TCP_FLAG.syn) && !tcp.has(TCP_FLAG.ack)) return this.#onSyn(p, asClient);
    const candidates = this.#candidates.get(asServer);
    if (candidates === undefined || p.inLink === 0) return;
    // Nothing of the server's leads to the server.
    const others = candidates.filter(({ port }) => port !== p.physOutIfindex);
    if (tcp.has(TCP_FLAG.syn)) this.#onSynAck(p, asServer, others);
    else for (const candidate of others) if (mayBeServers(candidate, p)) contradict(candidate, p.inLink);
  }

  /** Whether the client has begun such a connection itself. */
  has(name: string): boolean {
    return this.#candidates.has(name);
  }

  /** `isAhead`: for a connection that is not answered yet, if there is one. Undefined: it is not known, or more than one. */
  find(name: string, isAhead: boolean): Link | undefined {
    const all = this.#candidates.get(name) ?? [];
    const answered = all.find(({ server }) => server !== undefined);
    const link = isAhead ? all.findLast(({ client }) => client === (answered?.client ?? client)) : answered;
    return link?.isAstray === true ? undefined : link;
  }

  #onSyn({ tcp, physOutIfindex: port, inLink: client }: PacketContext, name: string): void {
    const { seq } = tcp;
    const known = this.#candidates.get(name) ?? [];
    if (client === 0 || known.some((each) => each.seq === seq && each.client === client && each.port === port)) return;
    const left = known.filter((each) => each.server !== undefined || each.client !== client);
    const answered = left.filter(({ server }) => server !== undefined);
    const begun = left.filter(({ server }) => server === undefined).slice(1 - MOST_SENDERS);
    const acks = [seqAdd(seq, 1), seqAdd(seq, 1 + tcp.dataLength)];
    const candidate = { seq, acks, port, client, server: undefined, first: 0, isAstray: false, unaddressed: [] };
    this.#candidates.set(name, [...answered, ...begun, candidate]);
  }

  #onSynAck(p: PacketContext, name: string, candidates: readonly Candidate[]): void {
    const { inLink } = p;
    const { ack, seq } = p.tcp;
    const link = candidates.find(({ acks }) => acks.includes(ack));
    if (link === undefined) return;
    this.#options.whenLeft(p, () => {
      if (link.server !== undefined) return contradict(link, inLink);
      link.server = inLink;
      link.first = seq;
      this.#candidates.set(name, [link]);
      this.#options.onAnswered(link);
    });
  }
}

interface Candidate extends Link {
  /** Of its SYN, and what acknowledges it without its data (RFC 7413) or with them. */
  readonly seq: number;
  readonly acks: readonly number[];
  /** Of the server's SYN. */
  first: number;
}

function contradict(link: Candidate, server: number): void {
  if (link.server !== server) link.isAstray = true;
}

/** Whoever does not see the connection can hardly write numbers like its own. */
function mayBeServers({ server, seq, first }: Candidate, { tcp }: PacketContext): boolean {
  const isNear = (number: number, from: number) => (number - from) >>> 0 < WINDOW;
  return server !== undefined && tcp.has(TCP_FLAG.ack) && isNear(tcp.ack, seq) && isNear(tcp.seq, first);
}

/** Of clients whose servers may be asked: those of the last seconds, on a busy gateway. */
const CONNECTIONS = 8_192;
/** That have begun a connection by the same name, without an answer. */
const MOST_SENDERS = 4;
/** Octets that come by in the time of a handshake. */
const WINDOW = 2 ** 20;
