/**
 * Decides one flow from what its handshake shows: hears both sides, and hands what it hears to the state that awaits it.
 * Makes one ruling, once; after it only facts are gathered. Knows no packets: who may have which octet is for the
 * connection.
 */
import { copyOf } from '../bytes/copy.ts';
import type { Fault } from '../bytes/fault.ts';
import { authenticationOf, type KeyExchange } from '../tls/cipher-suites.ts';
import type { ClientHello } from '../tls/client-hello.ts';
import { HANDSHAKE } from '../tls/constants.ts';
import type { HandshakeListener, Side } from '../tls/observed/listener.ts';
import type { RecordConsumer } from '../tls/record.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import type { ServerKeyExchange } from '../tls/server-key-exchange.ts';
import { presentRawPublicKey } from '../x509/presented.ts';
import { Aftermath } from './aftermath.ts';
import { settleRawPublicKey } from './awaited/shown.ts';
import type { Permissible } from './awaited/state.ts';
import type { JudgeContext, WatchedMessage } from './context.ts';
import type { Continuation } from './continuation.ts';
import { Course } from './course.ts';
import type { Reason } from './events.ts';
import type { FlowFacts } from './facts.ts';
import { Hearing } from './hearing.ts';
import { limitOf } from './limit-faults.ts';
import type { ProbeTunnel } from './ports.ts';
import type { Ruling } from './ruling.ts';
import type { SessionBinding } from './session-binding.ts';
import type { SituationKey } from './situation.ts';

/** A proxy on the way, and the host that it was asked for. */
export interface AskedTunnel extends ProbeTunnel {
  readonly host: string;
}

export class Judge implements HandshakeListener {
  readonly #context: JudgeContext;
  readonly #hearing: Hearing;
  readonly #course: Course;
  readonly #aftermath: Aftermath;
  readonly #openedAt: number;
  /** Microseconds that the client waited for its server's first word ahead of TLS. */
  #patience = 0;
  #tunnels: readonly ProbeTunnel[] = [];
  #watched: Omit<WatchedMessage, 'sni' | 'leaf'> | undefined;

  constructor(context: JudgeContext) {
    this.#context = context;
    this.#openedAt = context.now();
    this.#hearing = new Hearing(context, () => this.#onRuled());
    this.#course = new Course(this.#hearing);
    this.#aftermath = new Aftermath(this.#course);
  }

  get session(): SessionBinding {
    return this.#aftermath.session;
  }

  get continuation(): Continuation {
    return this.#aftermath.continuation;
  }

  get facts(): FlowFacts {
    return this.#hearing.facts;
  }

  get sawClientHello(): boolean {
    return this.#course.hellos.client !== undefined;
  }

  get ruling(): Ruling | undefined {
    return this.#hearing.ruling;
  }

  /** It has ruled, and not to accept. */
  get denies(): boolean {
    return this.ruling !== undefined && this.ruling.action !== 'accept';
  }

  /** What the flow comes to if it ends now, undecided. */
  get unfinished(): Ruling {
    return this.#hearing.unfinished;
  }

  /** Names of the pinsets that have to be satisfied; null until they are selected. */
  get selectedPinsets(): readonly string[] | null {
    return this.#hearing.selection?.require.map(({ name }) => name) ?? null;
  }

  /** True while an answer from outside is awaited that may still deny: the octets that completed the question wait. */
  get waiting(): boolean {
    return !this.#hearing.isRuled && this.#course.state.waiting;
  }

  /** When waiting has to end, in microseconds. */
  get deadline(): number {
    return this.#course.state.deadline;
  }

  /** What was awaited has not come in time. */
  onDeadline(): void {
    if (!this.#hearing.isRuled) this.#course.state.onDeadline();
  }

  /** True while nothing of the client's may reach the server: it carries early data. */
  get holdsClient(): boolean {
    return this.#course.awaitedBy === 'earlyData' && this.waiting;
  }

  /** True while what the client says first waits, as far as there is room: its server is to be asked ahead of it. */
  get delaysClient(): boolean {
    const { awaits } = this.#course.state;
    return (awaits === 'hello' || awaits === 'server-hello') && this.waiting;
  }

  /** How much longer than elsewhere the client may have to wait for a decision, in microseconds. */
  get patience(): number {
    return this.#patience;
  }

  /** The server says its first word ahead of TLS. */
  onFirstWord(): void {
    this.#patience = Math.min(this.#context.now() - this.#openedAt, MOST_PATIENCE_MICROS);
  }

  /** What comes first is not TLS, and from that side. */
  onPreamble(from: Side): void {
    const { habits, subject } = this.#context;
    if (from === 'server') habits.onGreeting(subject.server, this.#context.now());
    if (this.#course.state.awaits === 'hello') this.#course.state.onPreamble();
  }

  /**
   * Where, in the server's TLS stream, that begins which waits for its secret: what comes before it goes, because the
   * client logs the secret only once it has the ServerHello.
   */
  get sealedFrom(): number | undefined {
    return this.#course.readsSecret ? this.#course.keylog.sealedFrom : undefined;
  }

  /** The client has acknowledged everything ahead of that. */
  onServerHelloTaken(): void {
    const { state } = this.#course;
    if (!this.#hearing.isRuled && state.awaits === 'secret') state.onTaken();
  }

  /** Whether what comes ahead of encrypted records may have to go alone, for the client to log its secret. */
  get mayAwaitSecret(): boolean {
    return !this.#hearing.isRuled && this.#course.mayAwaitSecret;
  }

  /** True while encrypted records are being read. */
  get isReading(): boolean {
    return this.#course.keylog.isReading;
  }

  /** Whether a denial that the client should be able to read may still come. */
  get mayDeny(): boolean {
    return this.#hearing.mayDeny;
  }

  /** Whether the server has shown that it has the leaf's key; without a signature only its holder gets any further. */
  get isProven(): boolean {
    return this.#course.possession.isShown;
  }

  /** True where the client's Finished says that it believes the server; otherwise its data do. */
  get isSigned(): boolean {
    return this.#course.possession.isVerified;
  }

  /** The server waits for the client, so nothing of its may wait here: for a second hello, or for a key to be logged. */
  get awaitsClient(): boolean {
    if (this.#hearing.isRuled) return false;
    const isUnlogged = this.#course.state.awaits === 'secret' && !this.waiting && this.#course.keylog.lacksSecret;
    return this.#course.hellos.isAskedAgain || isUnlogged;
  }

  /** Whether the client may have what the server has shown up to there, ahead of the ruling. */
  permits(point: Permissible): boolean {
    return !this.#hearing.isRuled && this.#course.state.permits(point);
  }

  onMessage(from: Side, messageType: number, length: number): void {
    this.#watched = { from, messageType, length };
    if (!this.#hearing.isRuled) this.facts.milestones.note(from, this.#context.now(), messageType);
    // These two are shown with what they contain.
    if (messageType !== HANDSHAKE.clientHello && messageType !== HANDSHAKE.certificate) this.#show();
  }

  onClientHello(hello: ClientHello, recordVersion: number): void {
    this.facts.onClientHello(hello);
    if (!this.#course.hellos.onClient(hello)) return;
    const { habits, subject } = this.#context;
    if (this.facts.starttls === null) habits.onHello(subject.server, this.#context.now());
    this.#show();
    const patience = Math.round(this.#patience / 1000);
    const { starttls } = this.facts;
    const tunnels = this.#tunnels;
    const { body: clientHello, pattern } = hello;
    this.#course.question.put({
      clientHello,
      pattern: pattern?.number,
      recordVersion,
      starttls,
      tunnels,
      patience,
    });
    this.#course.askHello();
  }

  onServerHello(hello: ServerHello, keyExchange: KeyExchange): void {
    this.facts.onServerHello(hello);
    if (!this.#course.hellos.onServer(hello)) return;
    this.#course.possession.keyExchange = keyExchange;
    if (this.#hearing.isRuled) return;
    const { habits, subject } = this.#context;
    if (this.#course.hellos.offersTls13) habits.onChoice(subject.server, this.#course.hellos.name, hello.isTls13);
    this.#course.askServerHello();
  }

  /** Records that follow a ServerHello of TLS 1.3 are read where a secret may open them. */
  encryptedFlight(): RecordConsumer | undefined {
    return this.#course.encryptedFlight();
  }

  onCertificate(certificates: readonly Uint8Array[]): void {
    const chain = certificates.map((der) => this.#context.present(der));
    this.facts.onCertificate(chain);
    this.#show(chain[0]!.der);
    this.#course.examineClear(chain);
  }

  onRawPublicKey(spki: Uint8Array): void {
    settleRawPublicKey(this.#hearing);
    this.#course.examineClear([presentRawPublicKey(spki)]);
  }

  onServerKeyExchange(exchange: ServerKeyExchange): void {
    const { examined } = this.#course;
    if (!this.#course.possession.isAwaited || examined === undefined) return;
    const { spki } = examined;
    const { client, server } = this.#course.hellos;
    const proven =
      spki !== null &&
      this.#context.proves({
        spki,
        version: server!.version,
        scheme: exchange.scheme,
        authentication: authenticationOf(server!.cipherSuite),
        signed: Buffer.concat([client?.random ?? EMPTY, server!.random, exchange.params]),
        signature: exchange.signature,
      });
    this.#course.possession.settle(proven);
    this.#course.conclude();
  }

  onServerHelloDone(sawCertificate: boolean): void {
    if (!sawCertificate) return this.#hearing.settleNoCertificate();
    this.#course.possession.giveUp();
    this.#course.onFlightWhole();
  }

  onNewSessionTicket(lifetimeSeconds: number, ticket: Uint8Array): void {
    this.session.onTicket(lifetimeSeconds, ticket);
  }

  onServerChangeCipherSpec(isAbbreviated: boolean): void {
    this.facts.serverFinished = true;
    if (!isAbbreviated) return;
    this.facts.sessionResumed = this.#course.hellos.resumes;
    if (this.#hearing.isRuled) return;
    if (this.facts.sessionResumed) this.#course.awaitEvidence('resumed');
    else this.#hearing.settleNoCertificate();
  }

  onServerFinished(): void {
    this.session.isServerFinished = true;
  }

  onClientCertificate(certificates: readonly Uint8Array[]): void {
    this.facts.clientCertificates = certificates.map((der) => copyOf(der));
  }

  /** True while it shows what the client thinks of what it was shown. */
  get readsClient(): boolean {
    return this.continuation.isAwaited || this.session.isAwaited;
  }

  onClientFinished(): void {
    // Of a whole handshake it comes ahead of the server's.
    if (this.facts.sessionResumed) this.#aftermath.onBelief();
  }

  onClientData(length: number): void {
    this.continuation.onData(length);
    this.#aftermath.onBelief();
  }

  onFatalAlert(): void {
    this.facts.alerted = true;
  }

  onFault(from: Side, fault: Fault, recordVersion: number): void {
    this.facts.fault ??= fault.code;
    if (from === 'server') this.facts.recordVersion = recordVersion;
    const limit = limitOf(fault.code);
    if (limit !== undefined) this.#context.count(limit);
    // Behind a ruling it only makes doubtful what was handed out.
    if (this.#hearing.isRuled) return this.session.giveUp();
    this.#hearing.settle('parseError', limit === undefined ? 'parse-error' : 'limit', `${from}: ${fault.code}`);
  }

  /** The connection is gone: nobody waits for anything. */
  close(): void {
    this.#course.keylog.close();
    this.#course.withdraw();
  }

  /** For captures: octets of a side's are missing, and reading goes on behind them. */
  onGap(side: Side): void {
    if (!this.facts.gaps.includes(side)) this.facts.gaps.push(side);
    if (side === 'server') this.#course.keylog.onGap();
  }

  /** For captures: what was taken for no TLS at all turns to TLS later on. */
  restart(): void {
    if (this.ruling?.reason === 'not-tls') this.#hearing.reopen();
  }

  /** The configuration has changed: what was selected by the name is selected again, and judged again by that. */
  reselect(): void {
    if (this.#hearing.isRuled || this.#hearing.selection === undefined) return;
    this.#course.select();
    this.#course.state.reenter();
  }

  /** For datagrams, which have no sequence: what was accepted turns out not to be what the client may have got. */
  revoke(): void {
    if (this.ruling?.action !== 'accept' || this.facts.fault === null) return;
    this.#hearing.reopen();
    this.continuation.giveUp();
    this.#hearing.settle('parseError', 'overlap-conflict', this.facts.fault);
  }

  /** Nobody asks for it to be looked at: its port is none of those. */
  leave(): void {
    this.#hearing.settleUnpinned();
  }

  /** The engine's own causes: TCP conflicts, deadlines, limits, bytes that are not TLS. */
  settleBy(key: SituationKey, reason: Reason, fault: string | null = null): void {
    this.#hearing.settle(key, reason, fault);
  }

  /** What the situation `starttls` says of an upgrade that begins. */
  onUpgrade(protocol: string, tunnels: readonly AskedTunnel[]): void {
    this.facts.starttls = protocol;
    this.#tunnels = tunnels.map(({ protocol: way, request }) => ({ protocol: way, request }));
    this.#course.hellos.onTunnel(tunnels.at(-1)?.host);
    this.#hearing.settleIfDecided(
      'starttls',
      (situations) => (situations.starttls === 'inspect' ? 'hold' : situations.starttls),
      'starttls',
    );
  }

  #show(leaf: Uint8Array | null = null): void {
    const { watch } = this.#context;
    if (watch !== undefined && this.#watched !== undefined) {
      watch({ ...this.#watched, sni: this.#course.hellos.client?.serverName ?? null, leaf });
    }
  }

  #onRuled(): void {
    this.#course.keylog.close();
    this.#course.withdraw();
    this.#aftermath.begin();
  }
}

const EMPTY = new Uint8Array(0);
/** Mail servers that let strangers wait do so for half a minute at the most. */
const MOST_PATIENCE_MICROS = 60e6;
