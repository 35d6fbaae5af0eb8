/**
 * Probes with their clients' addresses, as their packets come through the queue: each is looked up by what was said of it
 * when it was dialled, and has the guise of its client's connection, which was seen to begin here. They are no flows: nothing
 * of them is judged, and what cannot be put into a guise goes as it is.
 *
 *   forwarded   client's SYN, and what follows ─▶ remembered, and on to its flow
 *   leaving     with the mark of probes, or by the device of those over bridges, dialled ─▶ in guise, at the client's time:
 *               a decoy at that of the client beside it, and whom nobody waits for at one that is drawn of what it has shown
 *   coming      likewise ─▶ as the socket understands it
 *
 * Where a bridge sends the client's packets on, what leaves does so as a frame (bridge.ts), and what comes is forwarded here
 * first: the client never gets it.
 */
import { randomInt } from 'node:crypto';

import { LRUCache } from 'lru-cache';

import { copyOf } from '../../bytes/copy.ts';
import { HOOK } from '../../packet/batch.ts';
import type { PacketContext } from '../../packet/context.ts';
import { IpView } from '../../packet/ip.ts';
import type { Clock } from '../../packet/source.ts';
import { TCP_FLAG, TcpView } from '../../packet/tcp.ts';
import { seqAdd } from '../../tcp/sequence.ts';
import type { Verdicts } from '../verdicts.ts';
import { asItIs, asReceived, type BridgePort, Frames, type Link, linkOf } from './bridge.ts';
import { type ClientHost, ClientTcp } from './client-tcp.ts';
import { Decoy } from './decoy.ts';
import type { DialledProbe, DialledProbes } from './dialled.ts';
import { Guise, type Headers } from './guise.ts';
import { addressOf, nameOf, pairOf } from './names.ts';
import { Paces } from './paces.ts';
import { DrawnPacing, type Pacing } from './pacing.ts';
import { Responses } from './responses.ts';
import { readSynShape, type SynShape } from './syn-shape.ts';

export interface GuisesParts {
  readonly verdicts: Verdicts;
  readonly dialled: DialledProbes;
  readonly clock: Clock;
  /** Undefined where no bridge is reckoned with. */
  readonly bridge: BridgePort | undefined;
}

export class Guises {
  readonly #parts: GuisesParts;
  readonly #clients = new LRUCache<string, Client>({ max: CLIENTS });
  readonly #hosts = new LRUCache<string, ClientHost>({ max: HOSTS });
  readonly #probes = new LRUCache<string, Probe>({ max: PROBES });
  readonly #paces = new Paces();
  /** Those of which packets wait. */
  readonly #waiting = new Set<Probe>();
  /** Those whose packets leave at the batch's end. */
  #behind: Probe[] = [];
  readonly #frames: Frames | undefined;
  /** Of packets that have waited. */
  readonly #kept: Headers = { ip: new IpView(), tcp: new TcpView() };

  constructor(parts: GuisesParts) {
    this.#parts = parts;
    this.#frames = parts.bridge && new Frames(parts.bridge);
  }

  /** True where it was a probe's, which is answered then. Its checksum fits. */
  take(p: PacketContext): boolean {
    const { probe } = this.#parts.verdicts.snapshot.policy;
    const isAsked = probe.source !== 'gateway';
    if (p.hook === HOOK.forward) {
      // Whatever probes leave with, a bridge may be their only way.
      const isBridged = this.#frames !== undefined && p.physOutIfindex !== 0;
      if (isBridged && this.#receive(p)) return true;
      if (isAsked || isBridged) this.#remember(p);
      return false;
    }
    const isLeaving = p.hook === HOOK.localOut;
    if (!isLeaving && p.hook !== HOOK.localIn) return false;
    const isOverBridge = this.#isOfDevice(isLeaving ? p.outIfindex : p.inIfindex);
    if (!isOverBridge && (p.mark & probe.mark) === 0) return false;
    const isToBeDressed = isAsked || isOverBridge;
    const known = isLeaving && isToBeDressed ? this.#leavingOf(p) : this.#probes.get(nameOf(p, isLeaving));
    if (known === undefined) {
      // What is under way ends as it began, and nothing else.
      if (!isToBeDressed) return false;
      // One that the rules know as a probe's: of another process, before this one.
      const isKnown = isOverBridge || (p.hasConnmark && (p.connmark & probe.mark) !== 0);
      if (!isKnown && this.#dialledOf(p, isLeaving) === undefined) return false;
      this.#pass(p.packetId);
    } else if (isLeaving) {
      this.#leave(p, known);
    } else {
      this.#come(p, known);
    }
    return true;
  }

  /** All of a batch was answered. */
  finishBatch(): void {
    const behind = this.#behind;
    this.#behind = [];
    for (const probe of behind) this.#release(probe);
  }

  /** The verdicts were sent. */
  sendFrames(): void {
    this.#frames?.send();
  }

  /** What has waited long enough leaves. */
  tick(now: number): void {
    for (const probe of this.#waiting) this.#release(probe, now);
  }

  /** When the first of those that wait has waited long enough; Infinity where none waits. */
  get due(): number {
    let due = Infinity;
    for (const { kept } of this.#waiting) due = Math.min(due, kept[0]!.until);
    return due;
  }

  /** Everything does. */
  finish(): void {
    for (const probe of this.#waiting) this.#release(probe);
  }

  #remember(p: PacketContext): void {
    const { ip, tcp } = p;
    const isSyn = tcp.has(TCP_FLAG.syn);
    if (isSyn && tcp.has(TCP_FLAG.ack)) return this.#onServersSyn(p);
    const name = nameOf(p, true);
    if (isSyn) {
      const shape = readSynShape(ip, tcp);
      if (shape === undefined) this.#clients.delete(name);
      else this.#begin(p, name, shape);
      return;
    }
    const client = this.#clients.get(name);
    if (client === undefined) return this.#onServer(p);
    const isFirst = client.tcp.onPacket(ip, tcp, p.time);
    const { responses } = client;
    if (isFirst) {
      const pace = responses.onHeard(p.time);
      if (pace !== undefined) this.#paces.add(pairOf(p), pace);
      for (const probe of client.decoys) this.#free(probe);
    } else if (!client.tcp.hasHeard && responses.onClient(tcp.dataLength > 0, p.time)) {
      this.#whenLeft(p, (now) => responses.onHelloLeft(now));
    }
  }

  #onServer(p: PacketContext): void {
    if (p.tcp.dataLength === 0) return;
    const responses = this.#clients.get(nameOf(p, false))?.responses;
    if (responses?.onAnswer() === true) this.#whenLeft(p, (now) => responses.onAnswerLeft(now));
  }

  #whenLeft({ packetId }: PacketContext, told: (now: number) => void): void {
    const { verdicts, clock } = this.#parts;
    verdicts.watch(packetId, () => told(clock.now()));
  }

  /** Where it is sent again, it may ask for less, and its decoys are there. */
  #begin(p: PacketContext, name: string, shape: SynShape): void {
    const { seq } = p.tcp;
    const before = this.#clients.get(name);
    const isRepeated = before?.seq === seq;
    // It has the port now: what is answered there is its own again.
    if (this.#probes.get(name)?.link !== undefined) this.#probes.delete(name);
    const kept = isRepeated ? before : { decoys: [], responses: new Responses(), link: linkOf(p) };
    const { decoys, responses, link } = kept;
    const tcp = new ClientTcp(shape, this.#hostOf(p), p.time);
    this.#clients.set(name, { seq, tcp, decoys, responses, link });
    this.#whenLeft(p, (now) => (tcp.synLeft = now));
  }

  /** Over a bridge: who has answered the client is who is asked. */
  #onServersSyn(p: PacketContext): void {
    const client = this.#clients.get(nameOf(p, false));
    if (client === undefined) return;
    const { link, seq, decoys, responses } = client;
    responses.onServersSyn(p.time);
    if (link === undefined || link.server !== undefined || p.inLink === 0 || p.tcp.ack !== seqAdd(seq, 1)) return;
    link.server = p.inLink;
    for (const { unaddressed } of decoys) {
      for (const packet of unaddressed.splice(0)) this.#frames?.add(link, p.inLink, packet);
    }
  }

  /** What is answered to a probe over a bridge. */
  #receive(p: PacketContext): boolean {
    const { bridge, verdicts } = this.#parts;
    if (bridge === undefined || bridge.ifindex === 0 || this.#probes.get(nameOf(p, false))?.link === undefined)
      return false;
    bridge.receive(asReceived(p));
    verdicts.drop(p.packetId);
    return true;
  }

  #isOfDevice(ifindex: number): boolean {
    return ifindex !== 0 && ifindex === this.#parts.bridge?.ifindex;
  }

  /** The client has acknowledged an answer: whether that comes first, or what its decoys say, is drawn. */
  #free(probe: Probe): void {
    if (probe.pacing instanceof Decoy) probe.pacing.isFree = true;
    if (randomInt(2) === 0) this.#release(probe);
    else this.#behind.push(probe);
  }

  #hostOf({ ip }: PacketContext): ClientHost {
    const address = addressOf(ip);
    const known = this.#hosts.get(address) ?? { latest: -1 };
    this.#hosts.set(address, known);
    return known;
  }

  #leavingOf(p: PacketContext): Probe | undefined {
    const name = nameOf(p, true);
    // Whoever has its port next is another one.
    if (!p.tcp.has(TCP_FLAG.syn)) return this.#probes.get(name);
    const { tcp } = p;
    const dialled = this.#dialledOf(p, true);
    const before = this.#probes.get(name);
    // It is sent again.
    if (before !== undefined && (dialled === undefined || before.seq === tcp.seq)) return before;
    if (dialled === undefined) return undefined;
    const client = this.#clients.get(nameOf(p, true, dialled.clientPort));
    const isDecoy = dialled.role === 'decoy';
    const guise = client && Guise.of(client.tcp, p, isDecoy ? STANDS_FOR : 0);
    const pacing = guise && this.#pacingOf(p, dialled);
    const link = this.#isOfDevice(p.outIfindex) ? client?.link : undefined;
    const probe: Probe = { seq: tcp.seq, begun: p.time, guise, pacing, kept: [], link, unaddressed: [] };
    if (client !== undefined && dialled.role !== 'behind') client.responses.isAccompanied = true;
    if (isDecoy && guise !== undefined) client!.decoys.push(probe);
    this.#probes.set(name, probe);
    return probe;
  }

  /** Whose client waits leaves at once, or it would wait longer. */
  #pacingOf(p: PacketContext, { role }: DialledProbe): Pacing | undefined {
    if (role === 'decoy') return new Decoy();
    const pace = role === 'behind' ? this.#paces.draw(pairOf(p)) : undefined;
    const { timeout } = this.#parts.verdicts.snapshot.policy.probe;
    return pace && new DrawnPacing(pace, p.time + timeout * MICROS * MOST_OF_TIMEOUT);
  }

  #dialledOf({ ip, tcp }: PacketContext, isLeaving: boolean): DialledProbe | undefined {
    const { dialled } = this.#parts;
    const [middle, length] = [ip.addresses + ip.addressLength, ip.addressLength];
    const [source, destination] = [
      ip.bytes.subarray(middle - length, middle),
      ip.bytes.subarray(middle, middle + length),
    ];
    if (isLeaving) return dialled.find([...source, ...destination], tcp.srcPort, tcp.dstPort);
    return dialled.find([...destination, ...source], tcp.dstPort, tcp.srcPort);
  }

  #leave(p: PacketContext, probe: Probe): void {
    const { verdicts } = this.#parts;
    const patience = probe.pacing?.patienceFor(p.tcp, p.time) ?? 0;
    if (patience > 0 && probe.kept.length < MOST_KEPT && verdicts.mayHold()) {
      const { ip } = p;
      const until = p.time + patience;
      verdicts.onHeld();
      // None overtakes another.
      for (const each of probe.kept) each.until = Math.min(each.until, until);
      probe.kept.push({ packetId: p.packetId, octets: copyOf(ip.bytes, ip.start, ip.end), until });
      this.#waiting.add(probe);
      return;
    }
    this.#release(probe);
    this.#send(p.packetId, p, probe, p.time);
  }

  #come(p: PacketContext, { guise, pacing }: Probe): void {
    if (p.tcp.has(TCP_FLAG.syn)) pacing?.onServersSyn?.(p.time);
    const octets = guise?.coming(p);
    if (octets === undefined) {
      if (guise === undefined) this.#pass(p.packetId);
      else this.#parts.verdicts.accept(p.packetId);
      return;
    }
    this.#replace(p.packetId, octets);
  }

  /** In the order in which they came; all of them, or those that have waited until `time`. */
  #release(probe: Probe, time = Infinity): void {
    const { kept } = probe;
    const firstLater = kept.findIndex(({ until }) => until > time);
    const left = kept.splice(0, firstLater < 0 ? kept.length : firstLater);
    if (kept.length === 0) this.#waiting.delete(probe);
    if (left.length === 0) return;
    const now = this.#parts.clock.now();
    const { ip, tcp } = this.#kept;
    this.#parts.verdicts.onReleased(left.length);
    for (const { packetId, octets } of left) {
      ip.parse(octets, 0, octets.length);
      tcp.parse(ip);
      this.#send(packetId, this.#kept, probe, now);
    }
  }

  #send(packetId: number, headers: Headers, probe: Probe, now: number): void {
    const octets = dressed(headers, probe, now);
    if (probe.link !== undefined) this.#sendOver(probe.link, packetId, octets ?? asItIs(headers), probe);
    else if (octets === undefined) this.#pass(packetId);
    else this.#replace(packetId, octets);
  }

  /** The packet itself goes on to the device, and no farther. */
  #sendOver(link: Link, packetId: number, octets: Uint8Array, { guise, unaddressed }: Probe): void {
    const { verdicts } = this.#parts;
    if (guise === undefined) verdicts.counters.probesPassed++;
    else verdicts.counters.probesRewritten++;
    verdicts.accept(packetId);
    if (link.server !== undefined) this.#frames?.add(link, link.server, octets);
    else if (unaddressed.length < MOST_UNADDRESSED) unaddressed.push(octets);
  }

  #replace(packetId: number, octets: Uint8Array): void {
    const { verdicts } = this.#parts;
    verdicts.counters.probesRewritten++;
    verdicts.replace(packetId, octets);
  }

  #pass(packetId: number): void {
    const { verdicts } = this.#parts;
    verdicts.counters.probesPassed++;
    verdicts.accept(packetId);
  }
}

interface Client {
  /** Of its SYN. */
  readonly seq: number;
  readonly tcp: ClientTcp;
  readonly decoys: Probe[];
  readonly responses: Responses;
  /** Undefined: no bridge sends its packets on. */
  readonly link: Link | undefined;
}

interface Probe {
  readonly seq: number;
  /** When its SYN left. */
  readonly begun: number;
  /** Undefined: none fits it. */
  readonly guise: Guise | undefined;
  /** Undefined: nothing of it waits. */
  readonly pacing: Pacing | undefined;
  /** What waits. */
  readonly kept: KeptPacket[];
  /** Its client's, where it leaves over a bridge; and what it has said ahead of anything from the server. */
  readonly link: Link | undefined;
  readonly unaddressed: Uint8Array[];
}

interface KeptPacket {
  readonly packetId: number;
  readonly octets: Uint8Array;
  /** Microseconds, on the engine's clock. */
  until: number;
}

/** Undefined: as it is. */
function dressed(headers: Headers, { guise, pacing, begun }: Probe, now: number): Uint8Array | undefined {
  const { tcp } = headers;
  if (guise === undefined) return undefined;
  if (pacing instanceof Decoy && pacing.isAhead(tcp)) {
    return guise.leaving(headers, now, guise.client.timestampBeside(tcp.dataLength > 0, begun));
  }
  return guise.leaving(headers, now - (pacing?.ageOf?.(tcp) ?? 0));
}

/** Connections of clients that may be asked about: those of the last seconds, on a busy gateway. */
const CLIENTS = 8_192;
const HOSTS = 4_096;
const PROBES = 4_096;
/** Of a millisecond. */
const MICROS = 1_000;
/** Packets of a probe that wait at a time: a server can have it acknowledge as often as it likes. */
const MOST_KEPT = 16;
/** In which packets of a probe wait, whatever is drawn. */
const MOST_OF_TIMEOUT = 0.5;
/** A SYN, and one sent again. */
const MOST_UNADDRESSED = 2;
/** Microseconds that a client's packets wait beside those of its decoys. */
const STANDS_FOR = 50_000;
