/**
 * Decides a QUIC connection by the name that its client asks for: certificates are encrypted there, so what is left is
 * the situation `quic` of the pinsets that the name selects. One for each attempt of a client's to open a connection.
 * Knows no packets.
 */
import { type Fault, isFault, misbehaved } from '../bytes/fault.ts';
import type { Situations } from '../pins/policy.ts';
import type { FlowSubject, PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { InitialConsumer } from '../quic/initial-reader.ts';
import { type ClientHello, parseClientHello } from '../tls/client-hello.ts';
import { HANDSHAKE, VERSION } from '../tls/constants.ts';
import { HandshakeReader } from '../tls/handshake.ts';
import { parseServerHello } from '../tls/server-hello.ts';
import { effectiveName } from '../tls/server-name.ts';
import { FlowFacts } from '../judge/facts.ts';
import { Allowed, NotPinned } from '../judge/grounds.ts';
import { ACCEPT } from '../judge/claim.ts';
import { Finding, rule, type Ruling } from '../judge/ruling.ts';
import { applySituation, type Holder, holdersOf } from '../judge/situation.ts';

export interface QuicContext {
  readonly snapshot: PinsetSnapshot;
  readonly subject: FlowSubject;
}

export class QuicName implements InitialConsumer {
  readonly facts = new FlowFacts();
  readonly #context: QuicContext;
  readonly #client: HandshakeReader;
  readonly #server: HandshakeReader;
  #hello: ClientHello | undefined;
  #ruling: Ruling | undefined;

  /** `maxLength`: of a handshake message. */
  constructor(context: QuicContext, maxLength: number) {
    this.#context = context;
    // RFC 9001 §4.2: nothing older is spoken over QUIC.
    this.facts.recordVersion = VERSION.tls13;
    this.#client = new HandshakeReader(maxLength, (type, body) => this.#onClientMessage(type, body));
    this.#server = new HandshakeReader(maxLength, (type, body) => this.#onServerMessage(type, body));
  }

  get ruling(): Ruling | undefined {
    return this.#ruling;
  }

  /** What it comes to if it ends now, undecided. */
  get unfinished(): Ruling {
    const { snapshot, subject } = this.#context;
    return rule(applySituation(holdersOf(snapshot, subject, undefined), 'incomplete', 'incomplete'), 'none');
  }

  get serverName(): string | null {
    return this.#hello?.serverName ?? null;
  }

  onClientCrypto(bytes: Uint8Array, start: number, end: number): Fault | undefined {
    return this.#client.feed(bytes, start, end);
  }

  onServerCrypto(bytes: Uint8Array, start: number, end: number): Fault | undefined {
    return this.#server.feed(bytes, start, end);
  }

  /** What was sent cannot be read, or not be waited for any longer: it counts as the worst that it may be. */
  settleUnread(code: string | null): void {
    this.#ruling ??= ruleUnread(this.#context.snapshot, this.#context.subject, code);
  }

  #onClientMessage(type: number, body: Uint8Array): Fault | undefined {
    // After a HelloRetryRequest there is a second one, which may not have another name (RFC 8446 §4.1.2).
    if (type !== HANDSHAKE.clientHello) return misbehaved('tls.handshake.order', 0);
    const hello = parseClientHello(body);
    if (isFault(hello)) return hello;
    if (this.#hello !== undefined) {
      return hello.serverName === this.#hello.serverName ? undefined : misbehaved('tls.client-hello.changed-name', 0);
    }
    this.#hello = hello;
    this.facts.onClientHello(hello);
    if (!hello.isServerNameValid) this.settleUnread('tls.client-hello.server-name');
    else this.#ruling ??= this.#ruleByName(hello);
    return undefined;
  }

  #onServerMessage(type: number, body: Uint8Array): Fault | undefined {
    if (type !== HANDSHAKE.serverHello) return misbehaved('tls.handshake.order', 0);
    const hello = parseServerHello(body);
    if (isFault(hello)) return hello;
    if (!hello.isHelloRetryRequest) this.facts.onServerHello(hello);
    return undefined;
  }

  #ruleByName(hello: ClientHello): Ruling {
    const { snapshot, subject } = this.#context;
    const name = effectiveName(hello.serverName);
    const denier = name === null ? snapshot.deniesWithoutName(subject) : undefined;
    if (denier !== undefined) {
      const verdict = DENIALS.reject;
      const claim = { pinset: denier, mode: denier.mode, reason: 'no-sni', verdict, matched: null } as const;
      return rule([Finding.of(claim, null)], 'none');
    }
    return ruleQuic(holdersOf(snapshot, subject, snapshot.select(subject, name)), null);
  }
}

/** Whether what a client sends over QUIC depends on the name that it asks for. */
export function nameDecides(snapshot: PinsetSnapshot, subject: FlowSubject): boolean {
  return snapshot.couldHostPinsetApply(subject) || snapshot.deniesWithoutName(subject) !== undefined;
}

/** Of a client whose name is not known and will not be. */
export function ruleUnread(snapshot: PinsetSnapshot, subject: FlowSubject, code: string | null): Ruling {
  return ruleQuic(holdersOf(snapshot, subject, undefined), code);
}

function ruleQuic(holders: readonly Holder[], fault: string | null): Ruling {
  const findings = holders.map((holder): Finding => {
    const { pinset, mode, situations, isUnpinned } = holder;
    const isAccepted = situations.quic === 'accept';
    const reason = isUnpinned && isAccepted ? 'unpinned' : 'quic';
    const verdict = isAccepted ? ACCEPT : DENIALS[situations.quic];
    const grounds = NotPinned.byHolder(holder) ?? Allowed.bySituation(situations, 'quic');
    return Finding.of({ pinset, mode, reason, verdict, matched: null }, grounds);
  });
  return rule(findings, 'none', fault);
}

/** What refuses both ends of a connection refuses a datagram: its sender is told. */
const DENIALS: Readonly<Record<Exclude<Situations['quic'], 'accept'>, Finding['verdict']>> = {
  reject: { action: 'reset', connmark: null },
  drop: { action: 'drop', connmark: null },
};
