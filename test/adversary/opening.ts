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

/** Opens it; whether the client's TCP holds it for open. `pass` is called ahead of each packet. */
export function open(gateway: Gateway, ends: Ends, first: First, opening: Opening, pass: () => void): boolean {
  return new Opener(gateway, ends, first, opening === 'multipath', pass).open(opening);
}

class Opener {
  readonly #gateway: Gateway;
  readonly #ends: Ends;
  readonly #first: First;
  readonly #isMultipath: boolean;
  readonly #pass: () => void;
  #state: 'closed' | 'syn-sent' | 'syn-received' | 'open' = 'closed';
  readonly #offering = new Set<'client' | 'server'>();

  constructor(gateway: Gateway, ends: Ends, first: First, isMultipath: boolean, pass: () => void) {
    this.#gateway = gateway;
    this.#ends = ends;
    this.#first = first;
    this.#isMultipath = isMultipath;
    this.#pass = pass;
  }

  open(opening: Opening): boolean {
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
        this.#send(false, syn | ack, OTHER_NUMBER, this.#first.client, true);
        this.#serverSynAck();
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

  #clientSyn(): void {
    if (this.#state === 'closed') this.#state = 'syn-sent';
    this.#send(true, syn, seqAdd(this.#first.client, -1), 0);
  }

  #serverSyn(): void {
    this.#send(false, syn, seqAdd(this.#first.server, -1), 0);
  }

  #serverSynAck(): void {
    this.#send(false, syn | ack, seqAdd(this.#first.server, -1), this.#first.client);
  }

  /** RFC 9293 §3.10.7.3 and §3.10.7.4, of the client. */
  #receive(packet: Uint8Array): void {
    const tcp = parsed(packet);
    const isSyn = tcp.has(syn);
    const isAnswered = tcp.has(ack) && tcp.ack === this.#first.client;
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
      this.#send(true, ack, this.#first.client, this.#first.server);
    }
  }

  #send(fromClient: boolean, flags: number, seq: number, acked: number, isLost = false): void {
    this.#pass();
    const { clientPort } = this.#ends;
    const isSyn = (flags & syn) !== 0;
    const options = this.#isMultipath && isSyn ? MULTIPATH_CAPABLE : NONE;
    const packet = segment(this.#ends, { fromClient, flags, seq, ack: acked, options });
    const arrive = (arrived: Uint8Array) => {
      this.#readOffer(arrived, fromClient);
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
const NONE = new Uint8Array(0);
const OTHER_NUMBER = 0x4000_0000;
/** Milliseconds: longer than a half-open connection is known. */
const FORGOTTEN_AFTER = 80_000;
