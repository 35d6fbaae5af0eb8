/**
 * DTLS between two endpoints: what either side says goes to the observer. The client gets a datagram only whole and only
 * understood: ahead of a ruling where every record of it is permitted by name, behind one that rests on what was shown
 * as long as the client might still be given something else. What waits for an answer from outside waits; the rest is
 * lost, and so is the handshake if nothing else comes of it. A client that begins anew (RFC 6347 §4.2.8) is judged anew.
 * Knows no marks.
 */
import type { LimitName } from '../pins/limits.ts';
import type { FlowSubject, PinsetSnapshot } from '../pins/match/snapshot.ts';
import { VERSION } from '../tls/constants.ts';
import { DtlsObserver } from '../tls/dtls-observer.ts';
import { type DtlsRecord, type DtlsRecords, readDtlsRecords } from '../tls/dtls-record.ts';
import { type PresentedCertificate, presentCertificate } from '../x509/presented.ts';
import { type PermittedName, permittedAt } from '../connection/permission.ts';
import type { Conversation, ConversationHost } from './conversation.ts';
import {
  type Content,
  contentOf,
  firstHelloRandom,
  goesOn,
  hasProtected,
  isClearHandshake,
  onlyAsks,
} from './dtls-content.ts';
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
  /** A ClientHello has begun. */
  #hasBegun = false;
  /** The client has gone on with what it was given, whose place nothing can take any more. */
  #hasGoneOn = false;
  #held: Held[] = [];
  #heldSince = 0;
  /** The first that might not go, while nothing is decided. */
  #refusal: Refusal | undefined;
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
    const datagram = recordsOf(p);
    this.#beginAnewIfAsked(p, datagram.records);
    this.#hasBegun ||= datagram.records.some(isClearHandshake);
    const content = this.#read('client', p, datagram);
    const { ruling } = this.#judge;
    if (ruling !== undefined) return ruling.action === 'accept' ? 'accept' : 'drop';
    const mayGo = !this.#host.live || onlyAsks(p.udp.bytes, datagram) || !this.#mayDeny();
    return mayGo ? 'accept' : this.#refuse(content);
  }

  onServer(p: PacketContext): DatagramVerdict {
    const datagram = recordsOf(p);
    const content = this.#read('server', p, datagram);
    if (!this.#host.live) return 'accept';
    if (this.#judge.waiting) return this.#hold(p, content);
    return this.#mayGo(content) ? 'accept' : this.#refuse(content);
  }

  /** The client goes on only after the whole of the server's flight: what it took cannot be replaced any more. */
  accepted(p: PacketContext, fromClient: boolean): Ruling | undefined {
    const { ruling } = this.#judge;
    if (!fromClient || ruling?.action !== 'accept') return undefined;
    const { records } = recordsOf(p);
    this.#hasGoneOn ||= goesOn(p.udp.bytes, records);
    const { continuation, isSigned, facts } = this.#judge;
    if (continuation.isAwaited) {
      if (!hasProtected(records)) return undefined;
      if (isSigned) continuation.onFinished();
      else continuation.giveUp();
      if (continuation.isSeen) this.#host.onContinued(ruling, facts);
    }
    return this.#hasGoneOn || !restsOnWhatWasShown(ruling) ? ruling : undefined;
  }

  deadline(): number {
    return Math.min(this.#holdDeadline(), this.#refusalDeadline());
  }

  onTime(now: number): void {
    if (now >= this.#holdDeadline()) {
      this.#host.count('holdTime');
      this.#judge.settleBy('overload', 'overload', 'hold-time');
    } else if (now >= this.#refusalDeadline()) {
      this.#host.count('handshakeTimeout');
      this.#judge.settleBy('incomplete', 'incomplete', this.#refusal!.code);
    } else {
      return;
    }
    this.#settle();
  }

  reselect(): void {
    this.#judge.reselect();
    this.#settle();
  }

  end(): void {
    if (this.#held.length > 0) this.#judge.settleBy('incomplete', 'incomplete');
    this.#settle();
    const { facts, ruling, unfinished } = this.#judge;
    if (this.#reported !== undefined) return;
    if (ruling !== undefined) this.#report(ruling);
    else if (facts.isTls) this.#report({ ...unfinished, fault: this.#refusal?.code ?? null }, false);
  }

  #holdDeadline(): number {
    return this.#held.length === 0 ? Infinity : this.#heldSince + this.#host.limits.holdTime * 1000;
  }

  #refusalDeadline(): number {
    if (this.#refusal === undefined || this.#judge.ruling !== undefined) return Infinity;
    return this.#refusal.since + this.#host.limits.handshakeTimeout * 1000;
  }

  /** Live, what does not count as a whole does not count at all. */
  #read(from: 'client' | 'server', p: PacketContext, datagram: DtlsRecords): Content {
    const { live } = this.#host;
    // Without a hello there is nothing that this could belong to.
    if (live && !this.#hasBegun) this.#judge.settleBy('midstream', 'midstream');
    // Of a super-packet that is cut on its way the client sees other records.
    const isCut = p.isGso && from === 'server';
    const content = isCut ? 'unread' : contentOf(datagram);
    const mayRead = !live || content !== 'unread';
    const isRead = mayRead && this.#observer.feed(from, p.udp.bytes, datagram.records);
    if (live) {
      this.#judge.revoke();
      this.#settle();
    }
    return isRead ? content : 'unread';
  }

  /** Of the server's: whether the client may have it. */
  #mayGo(content: Content): boolean {
    const { ruling } = this.#judge;
    if (ruling === undefined) return this.#permitted(content) !== undefined || !this.#mayDeny();
    if (ruling.action !== 'accept') return false;
    // A server encrypts nothing before its client does, which has then gone on.
    const isRead = content === 'flight' || content === 'alerts';
    return isRead || this.#hasGoneOn || ruling.mode !== 'enforce' || !restsOnWhatWasShown(ruling);
  }

  /** By which name the client may have it ahead of a ruling; undefined where it may not. */
  #permitted(content: Content): PermittedName | 'alerts' | undefined {
    if (content === 'alerts') return content;
    return content === 'flight' ? permittedAt(this.#observer.serverPoint, this.#judge) : undefined;
  }

  /** Whether whatever comes of this may be a denial in earnest. */
  #mayDeny(): boolean {
    return this.#judge.mayDeny || this.#judge.unfinished.action !== 'accept';
  }

  #refuse(content: Content): 'drop' {
    const code = content === 'unread' ? 'dtls.record.syntax' : 'dtls.record.early';
    this.#refusal ??= { code, since: this.#host.now() };
    return 'drop';
  }

  #hold(p: PacketContext, content: Content): DatagramVerdict {
    if (this.#held.length >= this.#host.limits.heldPackets || !this.#host.mayHold()) {
      this.#host.count('heldPackets');
      return 'drop';
    }
    if (this.#held.length === 0) this.#heldSince = this.#host.now();
    this.#held.push({ datagram: holdDatagram(p), content });
    return 'hold';
  }

  /** Reports a decision once, and answers what waited for it. */
  #settle(): void {
    const { ruling, waiting } = this.#judge;
    if (!this.#host.live || waiting) return;
    const held = this.#held;
    this.#held = [];
    for (const { datagram, content } of held) this.#host.release(datagram, this.#mayGo(content) ? 'accept' : 'drop');
    if (ruling !== undefined && ruling !== this.#reported) this.#report(ruling);
  }

  #report(ruling: Ruling, isDecided = true): void {
    this.#reported = ruling;
    const { facts, isProven } = this.#judge;
    facts.isPrestandard = this.#observer.recordVersion === VERSION.dtls10OpenSsl;
    this.#host.report({ kind: 'dtls', ruling, isDecided, facts, proven: isProven });
  }

  #beginAnewIfAsked(p: PacketContext, records: readonly DtlsRecord[]): void {
    const random = records.map((record) => firstHelloRandom(p.udp.bytes, record)).find((found) => found !== undefined);
    if (random === undefined) return;
    if (this.#random !== undefined && Buffer.compare(this.#random, random) !== 0) {
      this.end();
      this.#reported = undefined;
      this.#refusal = undefined;
      this.#hasGoneOn = false;
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
}

interface Held {
  readonly datagram: HeldDatagram;
  readonly content: Content;
}

interface Refusal {
  readonly code: string;
  /** Microseconds. */
  readonly since: number;
}

/** It was accepted for a certificate, which something that the client gets in its place would make worthless. */
function restsOnWhatWasShown({ pinset, evidence }: Ruling): boolean {
  return pinset !== null && evidence !== 'none';
}

function recordsOf({ udp }: PacketContext): DtlsRecords {
  return readDtlsRecords(udp.bytes, udp.dataStart, udp.dataEnd);
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
  readonly hasRoom = false;

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

const NO_SESSIONS = new SessionMemory(1);
const NO_HABITS = new ServerHabits();
