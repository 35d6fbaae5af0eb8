/**
 * SYNs and SYN/ACKs (RFC 9293 §3.5): which of them begin a connection, belong to one, or may begin one in another's
 * place, and what is written into the connection's mark by that. Anybody can send one; only what both ends go on with
 * counts, which is for the opening to find out.
 */
import { copyOf } from '../bytes/copy.ts';
import { subjectOf } from '../connection/factory.ts';
import type { Connection } from '../connection/connection.ts';
import type { Flow } from '../connection/flows.ts';
import type { HalfOpen } from '../connection/half-open.ts';
import type { SynCandidate } from '../connection/opening.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import type { PacketContext } from '../packet/context.ts';
import type { MarkChange } from '../packet/source.ts';
import { withPlainOptions } from '../packet/syn-options.ts';
import { packSynTraits, readSynTraits } from '../packet/syn-traits.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import type { FlowKey } from '../tcp/flow-key.ts';
import type { Connections } from './connections.ts';
import type { Verdicts } from './verdicts.ts';

export class Syns {
  readonly #options: Surroundings;
  readonly #verdicts: Verdicts;
  readonly #connections: Connections;
  /** Nobody begins anything now: a client repeats its SYN after a second (RFC 6298). */
  holdsNew = false;

  constructor(options: Surroundings, verdicts: Verdicts, connections: Connections) {
    this.#options = options;
    this.#verdicts = verdicts;
    this.#connections = connections;
  }

  /** `flow` is what `key` finds. False, and the packet is not answered, where it is of no connection that is known. */
  onSyn(p: PacketContext, key: FlowKey, flow: Flow | undefined): boolean {
    const { tcp } = p;
    // RFC 9293 §3.10.7: no sender sets SYN with FIN or RST; and with URG an octet to come is out of the stream.
    if (tcp.has(TCP_FLAG.fin | TCP_FLAG.rst | TCP_FLAG.urg)) this.#verdicts.refuse('packet.flags', p.packetId);
    else if (!tcp.has(TCP_FLAG.ack)) this.#onClientSyn(p, key, flow);
    else if (flow === undefined && !this.#connections.live) return false;
    else this.#onSynAck(p, key, flow);
    return true;
  }

  #onClientSyn(p: PacketContext, key: FlowKey, flow: Flow | undefined): void {
    const { flows, factory, live } = this.#connections;
    const { tcp } = p;
    if (flow === undefined) return this.#onNewSyn(p, key);
    if (key.forward !== flow.clientForward) return this.#onCrossingSyn(p, key, flow);
    const known = flow.kind === 'settled' ? flow : flow.opening;
    const isOwn = flow.kind === 'settled' ? flow.synSeq === tcp.seq : flow.opening.knowsSyn(tcp.seq);
    if (!live && flow.kind === 'connection' && flow.isOpen && !isOwn) {
      // Of a capture of one direction no SYN/ACK will tell that the connection is new.
      flows.forget(flow, p.time);
      return this.#onNewSyn(p, key);
    }
    if (flow.kind === 'settled' || flow.isOpen) {
      // Only the way that led to the client so far leads to it: its address anybody can write.
      if (!known.comesBy(p)) return this.#verdicts.refuse('tcp.syn.interface', p.packetId);
      // Resent, or late: it is this connection's own.
      if (isOwn) return this.#accept(p);
      flow.successor ??= factory.halfOpen(p, key);
      return this.#addSyn(p, flow.successor);
    }
    this.#addSyn(p, flow);
  }

  #addSyn(p: PacketContext, flow: HalfOpen | Connection): void {
    flow.touch(p.time);
    if (flow.opening.isVoid) return this.#verdicts.refuse('tcp.simultaneous-open', p.packetId);
    flow.opening.onSyn(candidate(p));
    this.#accept(p);
  }

  /**
   * A simultaneous open: who is the client would be whoever says so. Where only one of the two goes to a server's port, it
   * is the client's; where both do, neither counts. One that does not come from where the other went is neither end's.
   */
  #onCrossingSyn(p: PacketContext, key: FlowKey, flow: Flow): void {
    const { flows, live } = this.#connections;
    const isOpen = flow.kind === 'settled' || flow.isOpen;
    const { snapshot } = this.#verdicts;
    const isToServer = snapshot.isServerPort(p.tcp.dstPort);
    const isFromServer = snapshot.isServerPort(p.tcp.srcPort);
    if (flow.kind !== 'settled' && (!live || (!isOpen && isToServer && !isFromServer))) {
      flows.forget(flow, p.time);
      return this.#onNewSyn(p, key);
    }
    if (flow.kind !== 'settled' && !isOpen && isToServer && p.inIfindex === flow.opening.way.outIfindex) {
      flow.touch(p.time);
      flow.opening.makeVoid();
    }
    this.#verdicts.refuse('tcp.simultaneous-open', p.packetId);
  }

  #onNewSyn(p: PacketContext, key: FlowKey): void {
    const { flows, factory, live } = this.#connections;
    const { marks } = this.#verdicts;
    if (this.holdsNew) return this.#verdicts.drop(p.packetId);
    if (live && this.#crossesForgotten(p)) return this.#verdicts.refuse('tcp.simultaneous-open', p.packetId);
    if (!this.#connections.makeRoom(p.time)) return this.#overload(p);
    const flow = factory.halfOpen(p, key);
    flow.opening.onSyn(candidate(p));
    flows.begin(flow);
    // A mark that an earlier connection left stays until the server answers: anybody can forge a SYN.
    const isUnmarked = !p.hasConnmark || marks.stateOf(p.connmark) === 'none';
    const mark = isUnmarked ? marks.pending : undefined;
    if (this.#hasCompany(p)) this.#acceptInCompany(p, mark);
    else this.#accept(p, mark);
  }

  /** Whether others are begun beside it, of which nobody is to know whose they are. */
  #hasCompany(p: PacketContext): boolean {
    const { policy } = this.#verdicts.snapshot;
    if (policy.probe.decoys === 0 || this.#options.prober?.accompany === undefined) return false;
    return this.#verdicts.mayHold() && this.#connections.factory.asksFirst(subjectOf(p, true));
  }

  /** As the prober says: ahead of the others or behind them. */
  #acceptInCompany(p: PacketContext, mark: MarkChange | undefined): void {
    const { packetId } = p;
    const plain = withPlainOptions(p.ip, p.tcp);
    const synTraits = readSynTraits(packSynTraits(p.ip, p.tcp, p.physOutIfindex !== 0));
    const { verdicts, prober } = this.#options;
    this.#verdicts.onHeld();
    prober!.accompany!({ ...subjectOf(p, true), synTraits }, () => {
      this.#verdicts.onReleased(1);
      this.#answer(packetId, plain, mark);
      verdicts.flush();
    });
  }

  /**
   * A SYN that crosses one of the client's that is forgotten here. Conntrack knows who began; where it does not say so,
   * its mark says that somebody has, and from a server's port that may have been the client.
   */
  #crossesForgotten(p: PacketContext): boolean {
    if (p.ctid !== 0) return p.isConntrackReply;
    const { marks, snapshot } = this.#verdicts;
    const isBegun = p.hasConnmark && marks.stateOf(p.connmark) === 'pending';
    return isBegun && snapshot.isServerPort(p.tcp.srcPort);
  }

  #onSynAck(p: PacketContext, key: FlowKey, flow: Flow | undefined): void {
    const { flows, live } = this.#connections;
    const { marks } = this.#verdicts;
    const { tcp } = p;
    // A client may keep data that comes with it, ahead of anything that it can be compared with.
    if (live && tcp.dataLength > 0) return this.#verdicts.refuse('tcp.syn-ack.data', p.packetId);
    // Forgotten between SYN and SYN/ACK; what mark is there is an earlier connection's. The client repeats its SYN.
    if (flow === undefined) return this.#verdicts.refuse('tcp.syn-ack', p.packetId);
    if (key.forward === flow.clientForward) return this.#verdicts.refuse('tcp.simultaneous-open', p.packetId);
    const { successor } = flow;
    const wayToClient = live ? p.outIfindex : undefined;
    if (successor?.opening.onSynAck(tcp.seq, tcp.ack, wayToClient)) {
      if (flow.kind !== 'settled') flows.forget(flow, p.time);
      flows.begin(successor);
      return this.#accept(p, marks.pending);
    }
    // The client has it already; it answers another copy as it answers any old segment.
    if (flow.kind === 'settled' || !flow.opening.onSynAck(tcp.seq, tcp.ack, wayToClient)) {
      return this.#verdicts.refuse('tcp.syn-ack', p.packetId);
    }
    const isStale = !flow.isOpen && p.hasConnmark && marks.stateOf(p.connmark) !== 'pending';
    this.#accept(p, isStale ? marks.pending : undefined);
  }

  /** There is no room for another connection. */
  #overload(p: PacketContext): void {
    this.#verdicts.count('flows');
    const judge = this.#connections.factory.judge(subjectOf(p, true));
    judge.settleBy('overload', 'overload');
    if (judge.ruling!.action === 'accept') this.#accept(p, this.#verdicts.marks.accept(null));
    else this.#verdicts.drop(p.packetId);
  }

  /** With its options as far as they leave the stream as it is. */
  #accept(p: PacketContext, connmark?: MarkChange): void {
    this.#answer(p.packetId, this.#connections.live ? withPlainOptions(p.ip, p.tcp) : undefined, connmark);
  }

  #answer(packetId: number, plain: Uint8Array | undefined, connmark: MarkChange | undefined): void {
    if (plain === undefined) return this.#verdicts.accept(packetId, connmark);
    this.#verdicts.counters.synOptionsRemoved++;
    this.#verdicts.replace(packetId, plain, connmark);
  }
}

function candidate({ ip, tcp, inIfindex, outIfindex, physOutIfindex, inLink }: PacketContext): SynCandidate {
  // RFC 7413: data of a SYN.
  const data = tcp.dataLength === 0 ? NOTHING : copyOf(tcp.bytes, tcp.dataStart, tcp.dataEnd);
  return { seq: tcp.seq, inIfindex, outIfindex, inLink, data, traits: packSynTraits(ip, tcp, physOutIfindex !== 0) };
}

const NOTHING = new Uint8Array(0);
