/**
 * A prober whose first answer about a server's key is borne out by other gateways, within the same wait: where one of them
 * was shown another key, the answer is disputed, and denies what it would have let pass. Without witnesses it stands as it
 * is, which is told: who carries the questions can make nothing pass that would be denied without them.
 *
 *   probe -> answer -> known to be borne out? -> witnesses -> all were shown the same -> borne out, for a while
 *                                                          -> one was shown another  -> disputed
 *                                                          -> too few say anything   -> as it is, and asked again later
 */
import { createHash } from 'node:crypto';

import { LRUCache } from 'lru-cache';

import { atMost } from '../../fleet/at-most.ts';
import type { Testimony, WitnessQuestion } from '../../fleet/witnesses.ts';
import type { ProbeAnswer, ProbedCertificates, Prober, ProbeRequest } from '../../judge/ports.ts';
import type { Policy } from '../../pins/policy.ts';
import { addressText } from '../../report/eve.ts';
import { presentCertificate } from '../../x509/presented.ts';
import type { ClosableProber } from '../probing/probing.ts';

export interface WitnessedOptions {
  readonly prober: ClosableProber;
  readonly policy: Policy['probe'];
  readonly ask: (question: WitnessQuestion, count: number, patienceMs: number) => Promise<readonly Testimony[]>;
  /** Who was shown something else. */
  readonly onDisputed: (request: ProbeRequest, shown: string, others: readonly Testimony[]) => void;
  readonly onTooFew: (had: number, wanted: number) => void;
}

export class WitnessedProber implements ClosableProber {
  readonly #options: WitnessedOptions;
  #policy: Policy['probe'];
  /** Whether it was borne out, by server and key. */
  readonly #known = new LRUCache<string, { readonly isDisputed: boolean }>({ max: 8_192, ttl: KNOWN_FOR_MS });
  /** Those in whose place somebody was shown another key, until they are borne out: that nobody answers any more bears out nothing. */
  readonly #disputed = new LRUCache<string, true>({ max: 8_192, ttl: KNOWN_FOR_MS });
  /** What others are being asked. */
  readonly #asking = new Map<string, Promise<boolean>>();

  constructor(options: WitnessedOptions) {
    this.#options = options;
    this.#policy = options.policy;
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    const began = performance.now();
    const answered = (answer: ProbeAnswer): void => {
      if (answer.kind === 'failed' || this.#policy.witnesses === 0) return done(answer);
      void this.#bearOut(request, answer, began).then((isDisputed) =>
        done(isDisputed ? { ...answer, isDisputed } : answer),
      );
    };
    this.#options.prober.probe(request, answered, connected);
  }

  accompany(...connection: Parameters<ClosableProber['accompany']>): void {
    this.#options.prober.accompany(...connection);
  }

  async #bearOut(request: ProbeRequest, answer: ProbedCertificates, began: number): Promise<boolean> {
    const shown = keyShown(answer);
    const { address, port } = request.server;
    const id = `${addressText(address)} ${port} ${shown}`;
    const known = this.#known.get(id);
    // Only its client can ask a proxy.
    if (known !== undefined || request.tunnels.length > 0) return known?.isDisputed ?? false;
    const patience = Math.max(MARGIN_MS, this.#policy.timeout - (performance.now() - began) - MARGIN_MS);
    const asked = this.#asking.get(id) ?? this.#askOthers(id, request, shown, patience);
    // Who began to wait earlier has less time left than whoever has them asked.
    return (await atMost(patience + MARGIN_MS / 2, asked)) ?? this.#disputed.has(id);
  }

  #askOthers(id: string, request: ProbeRequest, shown: string, patience: number): Promise<boolean> {
    const asked = this.#isDisputed(id, request, shown, patience).finally(() => this.#asking.delete(id));
    this.#asking.set(id, asked);
    return asked;
  }

  async #isDisputed(id: string, request: ProbeRequest, shown: string, patience: number): Promise<boolean> {
    const { witnesses } = this.#policy;
    const { server, clientHello, recordVersion, starttls } = request;
    const question = { server, clientHello, recordVersion, starttls, patience: request.patience };
    const heard = await this.#options.ask(question, witnesses, patience).catch(() => []);
    const others = heard.filter((each) => each.shown !== shown);
    const isSettled = others.length === 0 && heard.length >= witnesses;
    if (isSettled) this.#disputed.delete(id);
    if (others.length > 0) this.#disputed.set(id, true);
    const isDisputed = this.#disputed.has(id);
    this.#known.set(id, { isDisputed }, isSettled ? {} : { ttl: UNSETTLED_FOR_MS });
    if (others.length > 0) this.#options.onDisputed(request, shown, others);
    else if (!isSettled) this.#options.onTooFew(heard.length, witnesses);
    return isDisputed;
  }

  onSpokenFor(request: ProbeRequest, times: number): void {
    this.#options.prober.onSpokenFor(request, times);
  }

  configure(policy: Policy['probe'], limits: Policy['limits']): void {
    this.#policy = policy;
    this.#options.prober.configure(policy, limits);
  }

  get counts(): ClosableProber['counts'] {
    return this.#options.prober.counts;
  }

  get origins(): ClosableProber['origins'] {
    return this.#options.prober.origins;
  }

  onWays(...ways: Parameters<NonNullable<ClosableProber['onWays']>>): void {
    this.#options.prober.onWays?.(...ways);
  }

  keep(): ReturnType<NonNullable<ClosableProber['keep']>> {
    return this.#options.prober.keep?.();
  }

  restore(kept: Parameters<NonNullable<ClosableProber['restore']>>[0]): void {
    this.#options.prober.restore?.(kept);
  }

  close(): void {
    this.#options.prober.close();
  }
}

/** What a server shows here to a question of another gateway; undefined where it shows nothing. */
export function shownTo(prober: Prober, question: WitnessQuestion, from: string): Promise<string | undefined> {
  // Whoever asks is a client of its own: as often as one may ask.
  const address = new Uint8Array(createHash('sha256').update(from).digest().subarray(0, 16));
  const request = { ...question, client: { address, port: 0 }, tunnels: [] };
  return new Promise((resolve) => {
    prober.probe(request, (answer) => resolve(answer.kind === 'failed' ? undefined : keyShown(answer)));
  });
}

/** As a pin spells it; of a key that cannot be read the certificate's digest. */
export function keyShown({ chain, isRawPublicKey }: Pick<ProbedCertificates, 'chain' | 'isRawPublicKey'>): string {
  const [leaf = new Uint8Array()] = chain;
  const spki = isRawPublicKey ? leaf : presentCertificate(leaf).spki;
  const digest = createHash('sha256')
    .update(spki ?? leaf)
    .digest('base64');
  return `${spki === null ? 'cert' : 'spki'}-sha256:${digest}`;
}

const KNOWN_FOR_MS = 3_600_000;
/** Who cannot say anything now is not waited for by each connection. */
const UNSETTLED_FOR_MS = 30_000;
/** Of the wait, for the way back to the packet thread. */
const MARGIN_MS = 100;
