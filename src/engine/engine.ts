/**
 * Packets in, verdicts out: reads a batch, and gives every packet to those who know its protocol, who answer it exactly
 * once, now or later. Joins the rooms below; what becomes of a segment is segments.ts, of a datagram datagram/flows.ts.
 */
import { randomBytes } from 'node:crypto';
import type { NamedConnection } from '../tcp/flow-names.ts';
import type { FlowPage, FlowQuestion } from '../connection/listing.ts';
import { FlowNumbers } from '../connection/flow-numbers.ts';
import type { KeptSettled } from '../connection/settled.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import { DatagramEngine } from '../datagram/flows.ts';
import type { KeptSession } from '../judge/sessions.ts';
import type { PacketBatch } from '../packet/batch.ts';
import { PacketContext } from '../packet/context.ts';
import { IP } from '../packet/ip.ts';
import type { Clock, PacketSink } from '../packet/source.ts';
import { PROTOCOL_TCP } from '../packet/tcp.ts';
import { PROTOCOL_UDP } from '../packet/udp.ts';
import type { PolicyChange } from '../pins/match/pack.ts';
import { PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { Policy } from '../pins/policy.ts';
import { Connections } from './connections.ts';
import { Counters } from './counters.ts';
import { Guises } from './guise/guises.ts';
import type { EngineOptions } from './options.ts';
import { Segments } from './segments.ts';
import { Verdicts } from './verdicts.ts';

/** What an engine remembers beyond the connections that are under way; plain data. */
export interface EngineMemory {
  /** Hash of the configuration that it was remembered under. */
  readonly config: string;
  readonly settled: readonly KeptSettled[];
  readonly sessions: readonly KeptSession[];
}

export class Engine implements PacketSink {
  readonly counters = new Counters();
  readonly #options: Surroundings;
  readonly #packet = new PacketContext();
  readonly #verdicts: Verdicts;
  readonly #connections: Connections;
  readonly #segments: Segments;
  readonly #guises: Guises | undefined;
  readonly #datagrams: DatagramEngine;

  constructor({
    policy,
    snapshot = new PinsetSnapshot(policy),
    numbering,
    dialled,
    bridge,
    ...options
  }: EngineOptions) {
    this.#options = options;
    const packet = this.#packet;
    const verdicts = new Verdicts(options, this.counters, snapshot);
    const numbers = new FlowNumbers(numbering);
    const seed = randomBytes(4).readInt32LE();
    // Of a capture the packet at hand says when it is: a batch may span years.
    const clock: Clock = options.live ? options.clock : { now: () => packet.time, wallTime: () => packet.time };
    const connections = new Connections({ options, answers: verdicts, numbers, clock, seed });
    this.#verdicts = verdicts;
    this.#connections = connections;
    const guises = dialled && new Guises({ verdicts, dialled, clock, bridge });
    this.#guises = guises;
    this.#segments = new Segments({ options, verdicts, connections, guises, seed });
    this.#datagrams = new DatagramEngine(options, verdicts, numbers);
  }

  get heldPackets(): number {
    return this.#verdicts.held;
  }

  /** Whether anything waits that has a deadline: `tick` wants to be called soon. */
  get waits(): boolean {
    return this.#connections.waits || this.#verdicts.held > 0;
  }

  /** Microseconds until something wants to leave at its very moment; Infinity where nothing does. */
  get dueIn(): number {
    const due = this.#guises?.due ?? Infinity;
    return due === Infinity ? due : due - this.#options.clock.now();
  }

  get flows(): number {
    return this.#connections.flows.count + this.#datagrams.flows;
  }

  /** Octets of memory that open TCP connections use. */
  get bufferedBytes(): number {
    return this.#connections.pool.used;
  }

  /** For operators; changes nothing. */
  list(question: FlowQuestion): FlowPage {
    return this.#connections.list(question);
  }

  /** Of those the ones that were accepted here, by their places. */
  acceptedOf(named: readonly NamedConnection[]): number[] {
    const { accepted } = this.#connections.flows;
    return named.flatMap((each, place) => (accepted.has(each) ? place : []));
  }

  onBatch(batch: PacketBatch): void {
    for (let index = 0; index < batch.count; index++) this.#onPacket(batch, index);
    this.#guises?.finishBatch();
    this.#flush();
  }

  /** What has its moment now leaves. */
  leaveDue(): void {
    this.#guises?.tick(this.#options.clock.now());
    this.#flush();
  }

  /** Does what is due. Microseconds until it wants to be called again; Infinity when nothing waits. */
  tick(): number {
    const now = this.#options.clock.now();
    this.#segments.tick(now);
    this.#guises?.tick(now);
    const next = Math.min(this.#connections.tick(now), this.#datagrams.tick(now));
    this.#flush();
    return next;
  }

  /** Undecided connections are judged by the new policy from now on; decided ones keep their decision. */
  replacePolicy(policy: Policy): void {
    this.#adopt(new PinsetSnapshot(policy));
  }

  /** The same, told as what differs. */
  changePolicy(change: PolicyChange): void {
    this.#adopt(this.#verdicts.snapshot.changed(change));
  }

  /** Whether SYNs of new connections are dropped, so that those that there are can come to their end. */
  set holdsNew(holds: boolean) {
    this.#segments.holdsNew = holds;
  }

  /** Connections that are still to be decided or marked. */
  get unsettled(): number {
    return this.#connections.flows.unsettled;
  }

  /** What another process's engine is to know. */
  keep(): EngineMemory {
    const now = this.#options.clock.now();
    const { hash } = this.#verdicts.snapshot.policy;
    const settled = this.#connections.keep(now);
    return { config: hash, settled, sessions: this.#connections.factory.keepSessions(now) };
  }

  /** Sessions stand for pinsets of one configuration. */
  restore({ config, settled, sessions }: EngineMemory): void {
    const now = this.#options.clock.now();
    this.#connections.flows.restore(settled, now);
    if (config === this.#verdicts.snapshot.policy.hash) this.#connections.factory.restoreSessions(sessions, now);
  }

  /** That were given out since the last time that it was asked. */
  newSessions(): KeptSession[] {
    return this.#connections.factory.newSessions(this.#options.clock.now());
  }

  /** Of another engine with the same pinsets. */
  addSessions(sessions: readonly KeptSession[]): void {
    this.#connections.factory.restoreSessions(sessions, this.#options.clock.now());
  }

  /** Answers every held packet and reports every connection that is still open. */
  finish(): void {
    this.#connections.flows.forgetAll(this.#options.clock.now());
    this.#datagrams.finish();
    this.#segments.finish();
    this.#guises?.finish();
    this.#flush();
  }

  #flush(): void {
    this.#options.verdicts.flush();
    this.#guises?.sendFrames();
  }

  #adopt(snapshot: PinsetSnapshot): void {
    this.#verdicts.adopt(snapshot);
    this.#connections.reselect();
    this.#datagrams.reselect();
    this.#options.verdicts.flush();
  }

  #onPacket(batch: PacketBatch, index: number): void {
    const p = this.#packet;
    const outcome = p.read(batch, index);
    this.counters.received++;
    if (outcome !== IP.ok || p.isTruncated) return this.#verdicts.refuse('packet.ip', p.packetId);
    if (p.ip.protocol === PROTOCOL_UDP) return this.#datagrams.onPacket(p);
    if (p.ip.protocol === PROTOCOL_TCP) return this.#segments.onPacket(p);
    this.#verdicts.accept(p.packetId);
  }
}
