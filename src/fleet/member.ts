/**
 * A gateway in its fleet: hears of each document, takes what was signed by somebody whom it trusts and is newer than
 * everything it has seen, has it put into force or refuses it, and says which it is. What it knows is on disk before it
 * counts, so that an old document is none again after a restart. Without a server it goes on with what it has.
 *
 *   offered -> opened (signature, name, version, date) -> for this gateway? -> seen, on disk -> in force -> on disk
 *           -> refused, with the reason, for all to see
 */
import type { PublicKey } from '../minisign/keys.ts';
import type { SharedDocument } from '../pins/document/shared.ts';
import {
  callOf,
  documentsBucket,
  gatewaysBucket,
  keysOf,
  type OpenedDocument,
  openOffer,
  type Terms,
} from './documents.ts';
import { type GatewayRecord, recordOctets } from './gateway-record.ts';
import { envelopeOctets } from './package.ts';
import type { Broker, Bucket, Deleted, Entry, Subscription } from './port.ts';

export interface MemberOptions {
  readonly name: string;
  readonly gateway: string;
  /** Of tlspin. */
  readonly software: string;
  /** What it says of itself besides. */
  readonly standing: Pick<GatewayRecord, 'network' | 'answers'>;
  readonly trusted: readonly PublicKey[];
  readonly broker: Broker;
  readonly state: MemberState;
  /** Has it on disk; rejects with a sentence. */
  readonly keep: (state: MemberState) => Promise<void>;
  readonly apply: (shared: SharedDocument, terms: Terms) => Promise<Applied>;
  /** Told of each document that is refused, and null once another one has come into force. */
  readonly onRefused: (why: string | null) => void;
  /** Told where what is in force cannot be kept, and null once it is. */
  readonly onUnkept: (why: string | null) => void;
}

/** What survives a restart. */
export interface MemberState {
  readonly seen: Seen;
  readonly accepted: AcceptedDocument | null;
}

/** The newest version that anybody signed, of those for all and of those for this gateway alone. */
export interface Seen {
  readonly all: SeenVersion | null;
  readonly canary: SeenVersion | null;
}

export interface SeenVersion {
  readonly version: number;
  readonly digest: string;
  readonly signature: string;
}

export interface AcceptedDocument {
  /** As it came. */
  readonly envelope: Uint8Array;
  readonly since: number;
}

/** Where it is not in force, why, and what is wrong line by line. */
export type Applied =
  | { readonly isInForce: true }
  | { readonly isInForce: false; readonly reason: string; readonly messages: readonly string[] };

export class Member {
  readonly #options: MemberOptions;
  #state: MemberState;
  #running: { readonly terms: Terms; readonly digest: string; readonly since: number } | null;
  #refused: GatewayRecord['refused'] = null;
  #watch: Subscription | undefined;
  #call: Subscription | undefined;
  #documents: Bucket | undefined;
  #records: Bucket | undefined;
  #beat: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** One after the other. */
  #offering: Promise<void> = Promise.resolve();
  #isLookDue = false;
  /** The newest version that was heard of here, whoever it is for. */
  #heard = 0;
  #unkept: NodeJS.Timeout | undefined;
  #called: NodeJS.Timeout | undefined;
  #telling: Promise<void> = Promise.resolve();

  constructor(options: MemberOptions) {
    this.#options = options;
    this.#state = options.state;
    const { accepted } = options.state;
    const opened = accepted === null ? undefined : openAccepted(accepted, options);
    this.#running = opened === undefined || 'error' in opened ? null : { ...opened, since: accepted!.since };
  }

  get running(): Terms | undefined {
    return this.#running?.terms;
  }

  start(): void {
    const { broker, name } = this.#options;
    broker.onConnection(({ isConnected }) => isConnected && void this.#join());
    this.#beat = setInterval(() => this.#tell(), BEAT_MS).unref();
    this.#call = broker.answer(callOf(name), async (version) => this.#onCall(version));
    if (broker.connection.isConnected) void this.#join();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#beat);
    clearTimeout(this.#retry);
    clearTimeout(this.#unkept);
    clearTimeout(this.#called);
    await this.#call?.stop();
    await this.#watch?.stop();
    await this.#offering;
    await this.#telling;
  }

  /** What is asked for over the connection outlives it; only what could not be had is asked for again. */
  async #join(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      const { broker, name } = this.#options;
      if (this.#watch !== undefined) this.#look();
      // Made anew where servers have lost it.
      this.#records = await gatewaysBucket(broker);
      this.#tell();
      if (this.#isStopped || this.#watch !== undefined) return;
      this.#documents = await documentsBucket(broker);
      this.#watch ??= await this.#documents.watch(keysOf(name).any, { onEntry: (entry) => this.#offer(entry) });
    } catch {
      // Whether it is connected is told by the connection; whether it may is the server's to say, later perhaps.
      if (!this.#isStopped) this.#retry = setTimeout(() => void this.#join(), RETRY_MS).unref();
    }
  }

  /** What was pushed comes by the watch, a moment later at the most, unless that is on a server that was lost. */
  #onCall(version: Uint8Array): undefined {
    const text = new TextDecoder().decode(version.subarray(0, 20));
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Infinity;
    this.#called ??= setTimeout(() => {
      this.#called = undefined;
      if (number > this.#heard) this.#look();
    }, CALL_PATIENCE_MS).unref();
    return undefined;
  }

  /** What there is, whatever the watch has told; any number of calls are one look. */
  #look(): void {
    const documents = this.#documents;
    if (documents === undefined || this.#isLookDue) return;
    this.#isLookDue = true;
    const { all, canary } = keysOf(this.#options.name);
    void Promise.all([documents.get(all), documents.get(canary)])
      .then(async (entries) => {
        for (const entry of entries) if (entry !== undefined) await this.#offer(entry);
      })
      // The connection tells whether there is one.
      .catch(() => {})
      .finally(() => (this.#isLookDue = false));
  }

  #offer(entry: Entry | Deleted): Promise<void> {
    this.#offering = this.#offering.then(() => this.#onOffer(entry));
    return this.#offering;
  }

  async #onOffer({ key, value }: Entry | Deleted): Promise<void> {
    if (value === null || this.#isStopped) return;
    const { name, trusted, gateway } = this.#options;
    const { all } = keysOf(name);
    const opened = openOffer(value, { name, trusted, version: 0, nowMs: 0 });
    if ('error' in opened) return this.#refuse(opened.version, opened.error, []);
    const { terms, digest } = opened;
    const { version } = terms;
    this.#heard = Math.max(this.#heard, version);
    if ((key === all) !== (terms.canary === null))
      return this.#refuse(version, 'it was put in the place of another', []);
    if (terms.canary !== null && terms.canary !== gateway) return;
    const kind = key === all ? 'all' : 'canary';
    const { seen } = this.#state;
    const before = seen[kind];
    if (version < (before?.version ?? 0)) {
      return this.#refuse(version, `version ${before!.version} was here before: it is an old one, played again`, []);
    }
    if ([seen.all, seen.canary].some((other) => other?.version === version && other.digest !== digest)) {
      return this.#refuse(version, 'another document of that version was here before', []);
    }
    // The other kind is ahead, or it is what runs.
    if (version <= (this.#running?.terms.version ?? 0)) return this.#keepSeen(kind, opened).catch(() => {});
    if (terms.expires <= Date.now()) return this.#refuse(version, `it expired at ${timeText(terms.expires)}`, []);
    await this.#take(kind, opened);
  }

  async #take(kind: keyof Seen, opened: OpenedDocument): Promise<void> {
    const { terms, digest, signed } = opened;
    try {
      await this.#keepSeen(kind, opened);
      const applied = await this.#options.apply(sharedOf(opened), terms);
      if (!applied.isInForce) return this.#refuse(terms.version, applied.reason, applied.messages);
    } catch (error) {
      return this.#refuse(terms.version, (error as Error).message, []);
    }
    const since = Date.now();
    this.#running = { terms, digest, since };
    this.#refused = null;
    this.#options.onRefused(null);
    this.#state = { ...this.#state, accepted: { envelope: envelopeOctets(signed), since } };
    await this.#keepAccepted();
    this.#tell();
  }

  /** It is in force, whatever the disk says: tried again until it is there, since a restart would go back. */
  async #keepAccepted(): Promise<void> {
    clearTimeout(this.#unkept);
    try {
      await this.#keep(this.#state);
    } catch (error) {
      this.#options.onUnkept((error as Error).message);
      const again = () => void (this.#offering = this.#offering.then(() => this.#keepAccepted()));
      if (!this.#isStopped) this.#unkept = setTimeout(again, RETRY_MS).unref();
    }
  }

  async #keepSeen(kind: keyof Seen, { terms: { version }, digest, signed }: OpenedDocument): Promise<void> {
    const { seen } = this.#state;
    if (seen[kind]?.version === version) return;
    const { signature } = signed;
    await this.#keep({ ...this.#state, seen: { ...seen, [kind]: { version, digest, signature } } });
  }

  async #keep(state: MemberState): Promise<void> {
    await this.#options.keep(state);
    this.#state = state;
    this.#options.onUnkept(null);
  }

  #refuse(version: number | null, reason: string, messages: readonly string[]): void {
    this.#refused = { version, at: Date.now(), reason, messages: [...messages] };
    const which = version === null ? 'a document' : `version ${version}`;
    this.#options.onRefused(`${which} was refused: ${reason}`);
    this.#tell();
  }

  #tell(): void {
    const records = this.#records;
    if (records === undefined || this.#isStopped) return;
    const { gateway, software, name, standing } = this.#options;
    const running = this.#running && {
      version: this.#running.terms.version,
      since: this.#running.since,
      digest: this.#running.digest,
      isReportOnly: this.#running.terms.isReportOnly,
    };
    const { all, canary } = this.#state.seen;
    const newest = (all?.version ?? 0) > (canary?.version ?? 0) ? all : canary;
    const seen = newest?.signature ?? null;
    const octets = recordOctets({ gateway, software, ...standing, running, seen, refused: this.#refused });
    // It is told again soon.
    this.#telling = this.#telling
      .then(async () => void (await records.put(`${name}.${gateway}`, octets)))
      .catch(() => {});
  }
}

/** What was in force last, as it is to be in force again; undefined where nothing was. Its date may be past. */
export function openAccepted(
  { envelope }: AcceptedDocument,
  { name, trusted }: { readonly name: string; readonly trusted: readonly PublicKey[] },
): OpenedDocument | { readonly error: string } {
  return openOffer(envelope, { name, trusted, version: 0, nowMs: 0 });
}

export function sharedOf({ content, digest, terms }: OpenedDocument): SharedDocument {
  return { ...content, digest, isReportOnly: terms.isReportOnly };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

const BEAT_MS = 30_000;
const RETRY_MS = 2_000;
const CALL_PATIENCE_MS = 1_000;
