/**
 * QUIC between two endpoints: each connection that the client begins is decided by its name, and what its datagrams get
 * follows. While a name is not complete and could matter, datagrams wait: the rest of a hello mostly is right behind,
 * where a client whose datagram is dropped would wait for its timer (RFC 9002 §6.2.2: a second). Knows no marks.
 */
import { type InitialDatagram, InitialReader } from '../quic/initial-reader.ts';
import { type Conversation, type ConversationHost, verdictOf } from './conversation.ts';
import { type DatagramVerdict, type HeldDatagram, holdDatagram, worse } from './packet.ts';
import type { PacketContext } from '../packet/context.ts';
import { nameDecides, QuicName, ruleUnread } from './quic-name.ts';
import { rule, type Ruling } from '../judge/ruling.ts';
import { applySituation, holdersOf } from '../judge/situation.ts';

export class QuicConversation implements Conversation {
  readonly kind = 'quic';
  readonly #host: ConversationHost;
  readonly #reader: InitialReader<QuicName>;
  readonly #names: QuicName[] = [];
  #held: Waiting[] = [];
  readonly #reported = new Set<string>();

  constructor(host: ConversationHost) {
    this.#host = host;
    this.#reader = new InitialReader(MAX_CRYPTO, () => this.#begin());
  }

  onClient(p: PacketContext): DatagramVerdict {
    const { bytes, dataStart, dataEnd } = p.udp;
    const read = this.#reader.feedClient(bytes, dataStart, dataEnd);
    for (const { fault, consumer } of read.attempts) {
      if (fault !== undefined) {
        consumer.facts.fault ??= fault.code;
        consumer.settleUnread(fault.code);
      }
    }
    if (!this.#host.live) return 'accept';
    this.#settle();
    const verdict = this.#verdictFor(read);
    if (verdict !== 'hold') return verdict;
    if (this.#held.length >= this.#host.limits.heldPackets || !this.#host.mayHold()) {
      this.#host.count('heldPackets');
      return 'drop';
    }
    const names = read.attempts.length > 0 ? read.attempts.map(({ consumer }) => consumer) : [...this.#names];
    this.#held.push({ datagram: holdDatagram(p), names, since: this.#host.now() });
    return 'hold';
  }

  onServer(p: PacketContext): DatagramVerdict {
    const { bytes, dataStart, dataEnd } = p.udp;
    // Live, everything is decided by what the client says.
    if (!this.#host.live) this.#reader.feedServer(bytes, dataStart, dataEnd);
    return !this.#host.live || this.#acceptedName() !== undefined ? 'accept' : 'drop';
  }

  accepted(): Ruling | undefined {
    return this.#names.every(({ ruling }) => ruling?.action === 'accept') ? this.#acceptedName()?.ruling : undefined;
  }

  deadline(): number {
    const [oldest] = this.#held;
    return oldest === undefined ? Infinity : oldest.since + this.#host.limits.holdTime * 1000;
  }

  onTime(now: number): void {
    if (now < this.deadline()) return;
    this.#host.count('holdTime');
    for (const name of this.#held[0]!.names) name.settleUnread('quic.incomplete');
    this.#settle();
  }

  /** Nothing is selected before the name is whole. */
  reselect(): void {}

  end(): void {
    for (const name of this.#names) {
      if (this.#held.length > 0) name.settleUnread('quic.incomplete');
      if (!this.#host.live && name.facts.isTls) this.#report(name, name.ruling ?? name.unfinished);
    }
    if (this.#host.live) this.#settle();
  }

  #begin(): QuicName {
    const host = this.#host;
    const name = new QuicName(host, MAX_CRYPTO);
    if (host.live && !nameDecides(host.snapshot, host.subject)) name.settleUnread(null);
    if (this.#names.length >= MAX_NAMES) this.#names.shift();
    this.#names.push(name);
    return name;
  }

  /** Reports what is decided now, and answers what waited for it. */
  #settle(): void {
    for (const name of this.#names) if (name.ruling !== undefined) this.#report(name, name.ruling);
    const due = this.#held.filter(({ names }) => names.every(({ ruling }) => ruling !== undefined));
    this.#held = this.#held.filter((waiting) => !due.includes(waiting));
    for (const { datagram, names } of due) {
      const verdicts = names.map(({ ruling }) => verdictOf(ruling!));
      this.#host.release(
        datagram,
        verdicts.reduce((a, b) => worse(a, b) as typeof a, 'accept'),
      );
    }
  }

  #verdictFor(read: InitialDatagram<QuicName>): DatagramVerdict {
    let verdict: DatagramVerdict = 'accept';
    for (const { consumer, fault } of read.attempts) {
      verdict = worse(verdict, consumer.ruling === undefined ? 'hold' : verdictOf(consumer.ruling));
      // A hello that contradicts itself after it was accepted, which is news only where that is not.
      if (fault === undefined || consumer.ruling?.action !== 'accept') continue;
      const unread = this.#unread(fault.code);
      if (unread.action !== 'accept') verdict = worse(verdict, verdictOf(this.#reportOnce(unread)));
    }
    if (read.isUnreadable) return worse(verdict, verdictOf(this.#reportOnce(this.#unread('quic.unreadable'))));
    return read.attempts.length > 0 ? verdict : this.#verdictForTheRest(read.isLong);
  }

  /** 0-RTT, Handshake, and everything behind a handshake: nothing in them says whose they are. */
  #verdictForTheRest(isLong: boolean): DatagramVerdict {
    if (this.#acceptedName() !== undefined) return 'accept';
    const [name] = this.#names;
    if (isLong && this.#names.some(({ ruling }) => ruling === undefined)) return 'hold';
    if (name?.ruling !== undefined) return verdictOf(name.ruling);
    // A connection that is older than the rules, or that came from another address.
    const { snapshot, subject } = this.#host;
    const ruling = rule(applySituation(holdersOf(snapshot, subject, undefined), 'midstream', 'midstream'), 'none');
    return verdictOf(this.#reportOnce(ruling));
  }

  #unread(code: string): Ruling {
    return ruleUnread(this.#host.snapshot, this.#host.subject, code);
  }

  #acceptedName(): QuicName | undefined {
    return this.#names.find(({ ruling }) => ruling?.action === 'accept');
  }

  /** Attempts that differ in nothing that the log tells are one connection to its reader: retries, retransmissions. */
  #report({ ruling: decided, serverName, facts }: QuicName, ruling: Ruling): void {
    if (!this.#isNews(`${serverName} ${ruling.action} ${ruling.pinset}`)) return;
    this.#host.report({ kind: 'quic', ruling, isDecided: decided !== undefined, facts, proven: false });
  }

  #reportOnce(ruling: Ruling): Ruling {
    if (this.#isNews(`${ruling.reason} ${ruling.action} ${ruling.fault}`)) {
      this.#host.report({ kind: 'quic', ruling, isDecided: true, facts: undefined, proven: false });
    }
    return ruling;
  }

  #isNews(text: string): boolean {
    if (this.#reported.has(text) || this.#reported.size >= MAX_NAMES) return false;
    this.#reported.add(text);
    return true;
  }
}

interface Waiting {
  readonly datagram: HeldDatagram;
  readonly names: readonly QuicName[];
  /** Microseconds since the epoch. */
  readonly since: number;
}

/** Octets of a CRYPTO stream: far more than any ClientHello has. */
const MAX_CRYPTO = 16_384;
/** Connections between two endpoints that are remembered. */
const MAX_NAMES = 16;
