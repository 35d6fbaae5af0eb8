/**
 * The opening of a connection through the gateway (RFC 9293 §3.5): the client's TCP as the standard has it, and a server
 * who does as the move says. Knows SYNs and what answers them, and no octet of a stream.
 */
import { IP, IpView } from '../../src/packet/ip.ts';
import { TCP_FLAG, TcpView } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { Broken, type Gateway } from './gateway.ts';
import type { Opening } from './moves.ts';
import { type Ends, segment } from './segment.ts';

export interface First {
  readonly client: number;
  readonly server: number;
}

/** What a scene lends to it. */
export interface Stage {
  /** Called ahead of each packet. */
  pass(): void;
  /** The client's first octets, for its SYN. */
  request(): Promise<Buffer>;
  /** The server's, for its SYN/ACK. */
  answer(): Promise<Buffer>;
  /** Data of a SYN that that end's TCP takes. */
  take(by: 'client' | 'server', octets: Uint8Array): void;
}

/** Opens it; whether the client's TCP holds it for open. */
export function open(gateway: Gateway, ends: Ends, first: First, opening: Opening, stage: Stage): Promise<boolean> {
  return new Opener(gateway, ends, first, opening, stage).open(opening);
}

class Opener {
  readonly #gateway: Gateway;
  readonly #ends: Ends;
  readonly #first: First;
  readonly #options: Uint8Array;
  readonly #stage: Stage;
  /** RFC 7413: what goes with the SYN, as far as the server takes it. */
  #request = NONE;
  #taken = 0;
  #state: 'closed' | 'syn-sent' | 'syn-received' | 'open' = 'closed';
  readonly #offering = new Set<'client' | 'server'>();

  constructor(gateway: Gateway, ends: Ends, first: First, opening: Opening, stage: Stage) {
    this.#gateway = gateway;
    this.#ends = ends;
    this.#first = first;
    this.#options = opening === 'multipath' ? MULTIPATH_CAPABLE : opening.startsWith('fast-open') ? COOKIE : NONE;
    this.#stage = stage;
  }

  async open(opening: Opening): Promise<boolean> {
    switch (opening) {
      case 'plain':
      case 'multipath':
        this.#clientSyn();
        this.#serverSynAck();
        break;
      case 'crossing':
        this.#clientSyn();
        this.#serverSyn();
        break;
      case 'crossing-first':
        this.#serverSyn();
        this.#clientSyn();
        this.#serverSyn();
        break;
      case 'crossing-forgotten':
        this.#clientSyn();
        this.#gateway.wait(FORGOTTEN_AFTER);
        this.#serverSyn();
        break;
      case 'two-numbers':
        this.#clientSyn();
        // One that the client never gets.
        this.#send(false, syn | ack, OTHER_NUMBER, this.#first.client, { isLost: true });
        this.#serverSynAck();
        break;
      case 'fast-open':
      case 'fast-open-refused':
      case 'fast-open-answered':
        this.#request = await this.#stage.request();
        this.#clientSyn(opening !== 'fast-open-refused');
        this.#serverSynAck(opening === 'fast-open-answered' ? await this.#stage.answer() : NONE);
        break;
      case 'fast-open-ahead':
        this.#clientSyn();
        this.#serverSynAck(await this.#stage.answer());
        break;
      default:
        opening satisfies never;
    }
    // What was lost, or refused, is sent again: each end its own, the server's answer to whatever it had.
    for (let again = 0; again < 2 && this.#state !== 'open'; again++) {
      this.#gateway.wait(1000);
      if (this.#state === 'syn-sent') this.#clientSyn();
      this.#serverSynAck();
    }
    return this.#state === 'open';
  }

  #clientSyn(isTaken = false): void {
    const isFirst = this.#state === 'closed';
    if (isFirst) this.#state = 'syn-sent';
    this.#send(true, syn, seqAdd(this.#first.client, -1), 0, { data: isFirst ? this.#request : NONE, isTaken });
  }

  #serverSyn(): void {
    this.#send(false, syn, seqAdd(this.#first.server, -1), 0);
  }

  #serverSynAck(data = NONE): void {
    this.#send(false, syn | ack, seqAdd(this.#first.server, -1), this.#next, { data, isTaken: true });
  }

  /** What the server expects next. */
  get #next(): number {
    return seqAdd(this.#first.client, this.#taken);
  }

  /** RFC 9293 §3.10.7.3 and §3.10.7.4, of the client. */
  #receive(packet: Uint8Array): void {
    const tcp = parsed(packet);
    const isSyn = tcp.has(syn);
    const isAnswered = tcp.has(ack) && tcp.ack === this.#next;
    if (this.#state === 'syn-sent' && isSyn && !tcp.has(ack)) {
      this.#state = 'syn-received';
      this.#send(true, syn | ack, seqAdd(this.#first.client, -1), this.#first.server);
      // Both ends of a simultaneous open answer alike.
      this.#serverSynAck();
      return;
    }
    if (!isAnswered || this.#state === 'open') return;
    if (this.#state === 'syn-received' || isSyn) {
      this.#state = 'open';
      this.#send(true, ack, this.#next, this.#first.server);
    }
  }

  #send(fromClient: boolean, flags: number, seq: number, acked: number, how: How = {}): void {
    this.#stage.pass();
    const { data = NONE, isTaken = false, isLost = false } = how;
    const { clientPort } = this.#ends;
    const isSyn = (flags & syn) !== 0;
    const options = isSyn ? this.#options : NONE;
    const packet = segment(this.#ends, { fromClient, flags, seq, ack: acked, options, data });
    const arrive = (arrived: Uint8Array) => {
      this.#readOffer(arrived, fromClient);
      const { bytes, dataStart, dataEnd } = parsed(arrived);
      if (isTaken && fromClient) this.#taken = dataEnd - dataStart;
      if (isTaken) this.#stage.take(fromClient ? 'server' : 'client', bytes.subarray(dataStart, dataEnd));
      if (!fromClient) this.#receive(arrived);
    };
    this.#gateway.send(clientPort, fromClient, packet, isSyn, isLost ? undefined : arrive);
  }

  /** RFC 8684 §3.1: once both have offered it, an option says where octets belong. */
  #readOffer(packet: Uint8Array, fromClient: boolean): void {
    const tcp = parsed(packet);
    if (!tcp.has(syn) || !packet.subarray(tcp.start + 20, tcp.dataStart).includes(MULTIPATH)) return;
    this.#offering.add(fromClient ? 'client' : 'server');
    if (this.#offering.size === 2) throw new Broken('both ends have agreed on several paths');
  }
}

interface How {
  readonly data?: Uint8Array;
  /** Whether whom it comes to takes its data. */
  readonly isTaken?: boolean;
  readonly isLost?: boolean;
}

function parsed(packet: Uint8Array): TcpView {
  const ip = new IpView();
  const tcp = new TcpView();
  if (ip.parse(packet, 0, packet.length) !== IP.ok || !tcp.parse(ip)) throw new Broken('what was let go is no segment');
  return tcp;
}

const { syn, ack } = TCP_FLAG;
const MULTIPATH = 30;
/** MP_CAPABLE of version 1, with a key. */
const MULTIPATH_CAPABLE = Uint8Array.of(MULTIPATH, 12, 1, 0x81, 1, 2, 3, 4, 5, 6, 7, 8);
/** RFC 7413 §4.1.1: a cookie of eight octets, and padding. */
const COOKIE = Uint8Array.of(34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1);
const NONE: Uint8Array = new Uint8Array(0);
const OTHER_NUMBER = 0x4000_0000;
/** Milliseconds: longer than a half-open connection is known. */
const FORGOTTEN_AFTER = 80_000;
