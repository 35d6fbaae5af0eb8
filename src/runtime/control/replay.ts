/**
 * What another configuration would make of the decisions of late, as far as those rest on certificates: pins, deny pins
 * and checks beside what was shown then. Situations, rules and what would be asked anew are left as they are. Decides
 * nothing.
 */
import type { VerdictEvent } from '../../judge/events.ts';
import { matchDeny } from '../../pins/match/match.ts';
import { PinsetSnapshot } from '../../pins/match/snapshot.ts';
import type { CompiledPinset, Policy } from '../../pins/policy.ts';
import { addressText } from '../../report/eve.ts';
import { effectiveName } from '../../tls/server-name.ts';
import { type PresentedCertificate, presentCertificate } from '../../x509/presented.ts';
import { judgedChecks } from '../explain/checks.ts';
import { compareChain } from '../explain/comparison.ts';

export interface Replay {
  /** Decisions that there was a certificate of. */
  readonly replayed: number;
  readonly would_deny: number;
  /** Of those, how many were let pass. */
  readonly newly_denied: number;
  /** That were denied, and would pass. */
  readonly newly_accepted: number;
  /** What is denied, by server and key, the most frequent first. */
  readonly denied: readonly ReplayedServer[];
}

export interface ReplayedServer {
  readonly sni: string | null;
  readonly dest_ip: string;
  readonly pinset: string;
  readonly key: string | null;
  readonly count: number;
}

/** The latest decisions; `most`: as many at the most. */
export function replay(events: Iterable<VerdictEvent>, policy: Policy, most = MOST): Replay {
  const replaying = new Replaying(policy);
  for (const event of events) {
    if (replaying.replayed >= most) break;
    if ((event.tls?.certificates.length ?? 0) > 0) replaying.add(event);
  }
  return replaying.result;
}

class Replaying {
  readonly #snapshot: PinsetSnapshot;
  /** The same few chains come again and again; by pinset, name, version and certificates. */
  readonly #satisfied = new Map<string, boolean>();
  readonly #servers = new Map<string, { -readonly [key in keyof ReplayedServer]: ReplayedServer[key] }>();
  replayed = 0;
  #denied = 0;
  #newlyDenied = 0;
  #newlyAccepted = 0;

  constructor(policy: Policy) {
    this.#snapshot = new PinsetSnapshot(policy);
  }

  get result(): Replay {
    const denied = [...this.#servers.values()].sort((a, b) => b.count - a.count).slice(0, SERVERS);
    return {
      replayed: this.replayed,
      would_deny: this.#denied,
      newly_denied: this.#newlyDenied,
      newly_accepted: this.#newlyAccepted,
      denied,
    };
  }

  add(event: VerdictEvent): void {
    this.replayed++;
    const chain = event.tls!.certificates.map(presentCertificate);
    const denier = this.#denierOf(event, chain);
    const passed = event.action === 'accept';
    if (denier === undefined) {
      if (!passed && BY_CERTIFICATE.has(event.reason)) this.#newlyAccepted++;
      return;
    }
    this.#denied++;
    if (passed) this.#newlyDenied++;
    this.#count(event, denier, chain[0]!);
  }

  #denierOf(event: VerdictEvent, chain: readonly PresentedCertificate[]): CompiledPinset | undefined {
    const name = effectiveName(event.tls?.sni ?? null);
    const { require, deny } = this.#snapshot.select(
      { server: event.server, client: event.client },
      name,
      event.fronted,
    );
    const nowMs = Date.now();
    return [...require, ...deny].find((pinset) => {
      if (pinset.mode !== 'enforce') return false;
      if (matchDeny(pinset, chain, nowMs) !== undefined) return true;
      return pinset.pins.length > 0 && !this.#isSatisfied(pinset, chain, name, event);
    });
  }

  #isSatisfied(
    pinset: CompiledPinset,
    chain: readonly PresentedCertificate[],
    name: string | null,
    event: VerdictEvent,
  ): boolean {
    const key = JSON.stringify([pinset.index, name, event.tls!.version, ...chain.map(({ sha256 }) => sha256)]);
    let satisfied = this.#satisfied.get(key);
    if (satisfied === undefined) {
      const { pins, facts, isAboveLeaf, names } = compareChain(pinset, chain, name, Date.now());
      const checks = judgedChecks(pinset.situations.checks, isAboveLeaf, facts, names, event);
      // Whether the server has proven its key does not change by what it is compared with.
      const fails = checks.some(({ check, outcome }) => outcome === 'fails' && check !== 'proofOfPossession');
      satisfied = !fails && pins.some(({ counts }) => counts);
      this.#satisfied.set(key, satisfied);
    }
    return satisfied;
  }

  #count({ tls, server }: VerdictEvent, pinset: CompiledPinset, { spkiSha256 }: PresentedCertificate): void {
    const key = spkiSha256 === null ? null : `spki-sha256:${Buffer.from(spkiSha256, 'hex').toString('base64')}`;
    const of = { sni: tls?.sni ?? null, dest_ip: addressText(server.address), pinset: pinset.name, key };
    const known = this.#servers.get(JSON.stringify(of));
    if (known === undefined) this.#servers.set(JSON.stringify(of), { ...of, count: 1 });
    else known.count++;
  }
}

/** Where another pin would have been another decision. */
const BY_CERTIFICATE: ReadonlySet<string> = new Set<VerdictEvent['reason']>([
  'pin-mismatch',
  'probe-mismatch',
  'deny-pin',
  'name-mismatch',
  'certificate-expired',
  'untrusted',
]);
const MOST = 1_000;
/** That an answer names. */
const SERVERS = 100;
