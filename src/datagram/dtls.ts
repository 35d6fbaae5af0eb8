/**
 * DTLS between two endpoints: what either side says goes to the observer, and datagrams pass as long as nothing speaks
 * against them. The one that completes a Certificate without a pin's key is not delivered; what waits for an answer
 * from outside waits. A client that begins anew (RFC 6347 §4.2.8) is judged anew. Knows no marks.
 */
import { isFault } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import type { LimitName } from '../pins/limits.ts';
import type { FlowSubject, PinsetSnapshot } from '../pins/match/snapshot.ts';
import { CONTENT, HANDSHAKE, VERSION } from '../tls/constants.ts';
import { DtlsObserver } from '../tls/dtls-observer.ts';
import { type DtlsRecord, readDtlsRecords } from '../tls/dtls-record.ts';
import { type PresentedCertificate, presentCertificate } from '../x509/presented.ts';
import { type Conversation, type ConversationHost, verdictOf } from './conversation.ts';
import { type DatagramVerdict, type HeldDatagram, holdDatagram } from './packet.ts';
import { Judge } from '../judge/judge.ts';
import type { JudgeContext } from '../judge/context.ts';
import type { PacketContext } from '../packet/context.ts';
import type { ChainExaminer, ProofVerifier } from '../judge/ports.ts';
import type { Ruling } from '../judge/ruling.ts';
import { ServerHabits } from '../judge/server-habits.ts';
import { SessionMemory } from '../judge/sessions.ts';

export class DtlsConversation implements Conversation {
  readonly kind = 'dtls';
  readonly #host: ConversationHost;
  #judge: Judge;
  #observer: DtlsObserver;
  /** Of the ClientHello that began it. */
  #random: Uint8Array | undefined;
  #held: HeldDatagram[] = [];
  #heldSince = 0;
  #reported: Ruling | undefined;

  constructor(host: ConversationHost) {
    this.#host = host;
    this.#judge = this.#newJudge();
    this.#observer = this.#newObserver();
  }

  get isUndecided(): boolean {
    return this.#judge.ruling === undefined;
  }

  onClient(p: PacketContext): DatagramVerdict {
    const records = this.#records(p);
    this.#beginAnewIfAsked(p, records);
    // Without a hello there is nothing that this could belong to.
    const isOrphan = !this.#judge.sawClientHello && !records.some(isClearHandshake);
    if (this.#host.live && isOrphan) this.#judge.settleBy('midstream', 'midstream');
    return this.#feed('client', p);
  }

  onServer(p: PacketContext): DatagramVerdict {
    if (this.#host.live && !this.#judge.sawClientHello) this.#judge.settleBy('midstream', 'midstream');
    return this.#feed('server', p);
  }

  /** The client goes on only after the whole of the server's flight: what it took cannot be replaced any more. */
  accepted(p: PacketContext, fromClient: boolean): Ruling | undefined {
    const { ruling } = this.#judge;
    if (!fromClient || ruling?.action !== 'accept') return undefined;
    const records = this.#records(p);
    const { continuation, isSigned, facts } = this.#judge;
    const isProtected = records.some(({ epoch }) => epoch > 0);
    if (continuation.isAwaited) {
      if (!isProtected) return undefined;
      if (isSigned) continuation.onFinished();
      else continuation.giveUp();
      if (continuation.isSeen) this.#host.onContinued(ruling, facts);
    }
    const goesOn = isProtected || records.some((record) => handshakeType(p, record) > HANDSHAKE.clientHello);
    return goesOn || ruling.pinset === null ? ruling : undefined;
  }

  deadline(): number {
    return this.#held.length === 0 ? Infinity : this.#heldSince + this.#host.limits.holdTime * 1000;
  }

  onTime(now: number): void {
    if (now < this.deadline()) return;
    this.#host.count('holdTime');
    this.#judge.settleBy('overload', 'overload', 'hold-time');
    this.#settle();
  }

  reselect(): void {
    this.#judge.reselect();
    this.#settle();
  }

  end(): void {
    if (this.#held.length > 0) this.#judge.settleBy('incomplete', 'incomplete');
    this.#settle();
    const { facts, ruling } = this.#judge;
    if (this.#reported === undefined && (ruling !== undefined || facts.isTls)) this.#report(ruling);
  }

  #feed(from: 'client' | 'server', p: PacketContext): DatagramVerdict {
    const { bytes, dataStart, dataEnd } = p.udp;
    this.#observer.feed(from, bytes, dataStart, dataEnd);
    if (!this.#host.live) return 'accept';
    this.#judge.revoke();
    this.#settle();
    const { ruling, waiting } = this.#judge;
    if (ruling !== undefined) return ruling.action === 'accept' ? 'accept' : 'drop';
    return waiting && from === 'server' ? this.#hold(p) : 'accept';
  }

  #hold(p: PacketContext): DatagramVerdict {
    if (this.#held.length >= this.#host.limits.heldPackets || !this.#host.mayHold()) {
      this.#host.count('heldPackets');
      return 'drop';
    }
    if (this.#held.length === 0) this.#heldSince = this.#host.now();
    this.#held.push(holdDatagram(p));
    return 'hold';
  }

  /** Reports a decision once, and answers what waited for it. */
  #settle(): void {
    const { ruling, waiting } = this.#judge;
    if (!this.#host.live || waiting) return;
    const held = this.#held;
    this.#held = [];
    const verdict = ruling === undefined || verdictOf(ruling) === 'accept' ? 'accept' : 'drop';
    for (const datagram of held) this.#host.release(datagram, verdict);
    if (ruling !== undefined && ruling !== this.#reported) this.#report(ruling);
  }

  #report(ruling: Ruling | undefined): void {
    this.#reported = ruling;
    const { facts } = this.#judge;
    facts.isPrestandard = this.#observer.recordVersion === VERSION.dtls10OpenSsl;
    this.#host.report('dtls', ruling, facts, this.#judge.isProven);
  }

  #beginAnewIfAsked(p: PacketContext, records: readonly DtlsRecord[]): void {
    const random = records.map((record) => firstHelloRandom(p.udp.bytes, record)).find((found) => found !== undefined);
    if (random === undefined) return;
    if (this.#random !== undefined && Buffer.compare(this.#random, random) !== 0) {
      this.end();
      this.#reported = undefined;
      this.#judge = this.#newJudge();
      this.#observer = this.#newObserver();
    }
    this.#random = new Uint8Array(random);
  }

  #newJudge(): Judge {
    const judge: Judge = new Judge(
      new DtlsContext(this.#host, () => {
        if (judge === this.#judge) this.#settle();
      }),
    );
    return judge;
  }

  #newObserver(): DtlsObserver {
    const { limits, live } = this.#host;
    return new DtlsObserver(this.#judge, limits, { clientFirst: live });
  }

  #records(p: PacketContext): readonly DtlsRecord[] {
    const records = readDtlsRecords(p.udp.bytes, p.udp.dataStart, p.udp.dataEnd);
    return isFault(records) ? [] : records;
  }
}

/** What a judge asks of its surroundings. */
class DtlsContext implements JudgeContext {
  readonly #host: ConversationHost;
  readonly settled: () => void;
  // Sessions are not bound over datagrams, so none is known to be a pinned one's; and nobody asks over datagrams.
  readonly sessions = NO_SESSIONS;
  readonly habits = NO_HABITS;
  readonly prober = undefined;
  readonly secrets = undefined;
  readonly watch = undefined;

  constructor(host: ConversationHost, settled: () => void) {
    this.#host = host;
    this.settled = settled;
  }

  get snapshot(): PinsetSnapshot {
    return this.#host.snapshot;
  }

  get subject(): FlowSubject {
    return this.#host.subject;
  }

  get live(): boolean {
    return this.#host.live;
  }

  get examiner(): ChainExaminer {
    return this.#host.examiner;
  }

  get proves(): ProofVerifier {
    return this.#host.proves;
  }

  now(): number {
    return this.#host.now();
  }

  dateMs(): number {
    return this.#host.dateMs();
  }

  present(der: Uint8Array): PresentedCertificate {
    return presentCertificate(der);
  }

  count(limit: LimitName): void {
    this.#host.count(limit);
  }

  anomaly(): void {}
}

/** What the endpoint that sent the datagram must be, by its messages in clear; undefined where they do not tell. */
export function dtlsRole(bytes: Uint8Array, start: number, end: number): 'client' | 'server' | undefined {
  const records = readDtlsRecords(bytes, start, end);
  if (isFault(records)) return undefined;
  const types = records.filter((record) => isClearHandshake(record)).map((record) => bytes[record.start]!);
  if (types.some((type) => CLIENT_MESSAGES.has(type))) return 'client';
  return types.some((type) => SERVER_MESSAGES.has(type)) ? 'server' : undefined;
}

function isClearHandshake(record: DtlsRecord): boolean {
  return record.epoch === 0 && record.contentType === CONTENT.handshake;
}

/** Type of the record's first message in clear; -1 when it has none. */
function handshakeType(p: PacketContext, record: DtlsRecord): number {
  return isClearHandshake(record) ? p.udp.bytes[record.start]! : -1;
}

/** The random of a ClientHello with message_seq 0, from its first fragment. */
function firstHelloRandom(bytes: Uint8Array, record: DtlsRecord): Uint8Array | undefined {
  if (!isClearHandshake(record)) return undefined;
  const reader = new ByteReader(bytes, record.start, record.end);
  const type = reader.u8();
  reader.skip(3);
  const seq = reader.u16();
  const offset = reader.u24();
  const body = reader.vector24();
  body.skip(2);
  const random = body.span(32);
  return body.ok && type === HANDSHAKE.clientHello && seq === 0 && offset === 0 ? random : undefined;
}

const NO_SESSIONS = new SessionMemory(1);
const NO_HABITS = new ServerHabits();
/** A Certificate may be either's. */
const CLIENT_MESSAGES: ReadonlySet<number> = new Set([HANDSHAKE.clientHello, HANDSHAKE.clientKeyExchange]);
const SERVER_MESSAGES: ReadonlySet<number> = new Set([
  HANDSHAKE.serverHello,
  HANDSHAKE.serverKeyExchange,
  HANDSHAKE.serverHelloDone,
]);
