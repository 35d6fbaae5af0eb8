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
import type { Verdicts } from '../verdicts.ts';
import { asItIs, asReceived, type BridgePort, Frames, type Misled } from './bridge.ts';
import { type ClientHost, ClientTcp } from './client-tcp.ts';
import { Decoy } from './decoy.ts';
import { dialledOf, type DialledProbe, type DialledProbes } from './dialled.ts';
import { Guise, type Headers } from './guise.ts';
import { type Link, Links } from './links.ts';
import { addressOf, nameOf, pairOf } from './names.ts';
import { Paces } from './paces.ts';
import { DrawnPacing, type Pacing } from './pacing.ts';
import { dressed, type Probe } from './probe.ts';
import { Responses } from './responses.ts';
import { readSynShape } from './syn-shape.ts';

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
  readonly #links: Links;
  /** Of packets that have waited. */
  readonly #kept: Headers = { ip: new IpView(), tcp: new TcpView() };

  constructor(parts: GuisesParts) {
    this.#parts = parts;
    this.#frames = parts.bridge && new Frames(parts.bridge);
    this.#links = new Links({
      whenLeft: (p, left) => this.#whenLeft(p, left),
      onAnswered: (link) => this.#frames?.onAnswered(link),
    });
  }

  /** True where it was a probe's, which is answered then. Its checksum fits. */
  take(p: PacketContext): boolean {
    const { probe } = this.#parts.verdicts.snapshot.policy;
    const isAsked = probe.source !== 'gateway';
    if (p.hook === HOOK.forward) {
      // Whatever probes leave with, a bridge may be their only way.
      const isBridged = this.#frames !== undefined && p.physOutIfindex !== 0;
      if (isBridged && this.#onBridged(p)) return true;
      if (isAsked || isBridged) this.#remember(p);
      return false;
    }
    const isLeaving = p.hook === HOOK.localOut;
    if (!isLeaving && p.hook !== HOOK.localIn) return false;
    const isOverBridge = this.#isOfDevice(isLeaving ? p.outIfindex : p.inIfindex);
    if (!isOverBridge && (p.mark & probe.mark) === 0) return false;
    const isToBeDressed = isAsked || isOverBridge;
    const known = isLeaving && isToBeDressed ? this.#leavingOf(p) : this.#probeOf(nameOf(p, isLeaving), p.time);
    if (known === 'astray' || known === 'taken') {
      this.#refuse(p.packetId, p, known);
    } else if (known === undefined) {
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
    if (isSyn) return this.#onSyn(p, name);
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

  /** Where it is sent again, it may ask for less, and its decoys are there. From elsewhere it counts once it is let pass. */
  #onSyn(p: PacketContext, name: string): void {
    const { ip, tcp, inLink } = p;
    const shape = readSynShape(ip, tcp);
    const before = this.#clients.get(name);
    const { decoys, responses } = before?.seq === tcp.seq ? before : { decoys: [], responses: new Responses() };
    const client = shape && {
      seq: tcp.seq,
      inLink,
      tcp: new ClientTcp(shape, this.#hostOf(p), p.time),
      decoys,
      responses,
    };
    const remember = () => {
      if (client === undefined) this.#clients.delete(name);
      else this.#clients.set(name, client);
    };
    const isFromElsewhere = before !== undefined && before.inLink !== inLink;
    if (!isFromElsewhere) remember();
    this.#whenLeft(p, (now) => {
      if (client !== undefined) client.tcp.synLeft = now;
      if (isFromElsewhere) remember();
    });
  }

  #onServersSyn(p: PacketContext): void {
    this.#clients.get(nameOf(p, false))?.responses.onServersSyn(p.time);
  }

  /** True for what is answered to a probe, which is its device's then. */
  #onBridged(p: PacketContext): boolean {
    const { bridge, verdicts } = this.#parts;
    const [asClient, asServer] = [nameOf(p, true), nameOf(p, false)];
    const isBegun = p.tcp.has(TCP_FLAG.syn) && !p.tcp.has(TCP_FLAG.ack);
    const isAnswer = !isBegun && this.#probeOf(asServer, p.time)?.link !== undefined;
    if (isAnswer && bridge !== undefined && bridge.ifindex !== 0) {
      bridge.receive(asReceived(p));
      verdicts.drop(p.packetId);
      return true;
    }
    this.#links.onPacket(p, asClient, asServer);
    const link = isBegun ? this.#probes.get(asClient)?.link : undefined;
    // The client has the port now: what is answered there is its own again.
    if (link?.client === p.inLink && link.port === p.physOutIfindex) this.#probes.delete(asClient);
    return false;
  }

  /** It ends with its question, soon behind it at the latest. */
  #probeOf(name: string, now: number): Probe | undefined {
    const probe = this.#probes.get(name);
    const { timeout } = this.#parts.verdicts.snapshot.policy.probe;
    if (probe === undefined || now - probe.begun <= (timeout + LINGERS_FOR) * MICROS) return probe;
    this.#probes.delete(name);
    return undefined;
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

  #leavingOf(p: PacketContext): Probe | Misled | undefined {
    const name = nameOf(p, true);
    const before = this.#probeOf(name, p.time);
    // Whoever has its port next is another one.
    if (!p.tcp.has(TCP_FLAG.syn)) return before;
    const { tcp } = p;
    const dialled = this.#dialledOf(p, true);
    // It is sent again.
    if (before !== undefined && (dialled === undefined || before.seq === tcp.seq)) return before;
    if (dialled === undefined) return undefined;
    const clientsName = nameOf(p, true, dialled.clientPort);
    const client = this.#clients.get(clientsName);
    const isDecoy = dialled.role === 'decoy';
    const isOverBridge = this.#isOfDevice(p.outIfindex);
    const link = isOverBridge ? this.#links.find(clientsName, isDecoy) : undefined;
    if (isOverBridge && link === undefined) return 'astray';
    // What is answered there may be the client's own.
    if (isOverBridge && this.#links.has(name)) return 'taken';
    const guise = client && Guise.of(client.tcp, p, isDecoy ? STANDS_FOR : 0);
    const pacing = guise && this.#pacingOf(p, dialled);
    const probe: Probe = { seq: tcp.seq, begun: p.time, guise, pacing, kept: [], link };
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

  #dialledOf(p: PacketContext, isLeaving: boolean): DialledProbe | undefined {
    return dialledOf(this.#parts.dialled, p, isLeaving);
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
    if (probe.link !== undefined) this.#sendOver(probe.link, packetId, headers, octets);
    else if (octets === undefined) this.#pass(packetId);
    else this.#replace(packetId, octets);
  }

  /** The packet itself goes on to the device, and no farther. `octets`: in guise. */
  #sendOver(link: Link, packetId: number, headers: Headers, octets: Uint8Array | undefined): void {
    const { verdicts } = this.#parts;
    if (link.isAstray) return this.#refuse(packetId, headers, 'astray');
    if (octets === undefined) verdicts.counters.probesPassed++;
    else verdicts.counters.probesRewritten++;
    verdicts.accept(packetId);
    this.#frames?.add(link, octets ?? asItIs(headers));
  }

  #refuse(packetId: number, headers: Headers, why: Misled): void {
    this.#parts.bridge?.onMisled(why);
    this.#frames?.refuse(headers);
    this.#pass(packetId);
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
  /** Of its SYN, and who has sent that over the link. */
  readonly seq: number;
  readonly inLink: number;
  readonly tcp: ClientTcp;
  readonly decoys: Probe[];
  readonly responses: Responses;
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
/** Milliseconds behind a question's timeout in which its connection goes away. */
const LINGERS_FOR = 10_000;
/** Microseconds that a client's packets wait beside those of its decoys. */
const STANDS_FOR = 50_000;
