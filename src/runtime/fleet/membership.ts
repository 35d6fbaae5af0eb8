/**
 * This gateway in its fleet: what it had from it before it starts, and, once it runs, each document that comes, beside the
 * decisions of late and into force; and what is lacking, as conditions of protection. On the main thread alone. Loaded
 * where a fleet is configured, and nowhere else.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';

import { atMost } from '../../fleet/at-most.ts';
import { type Applied, Member, type MemberState, openAccepted, sharedOf } from '../../fleet/member.ts';
import type { Terms } from '../../fleet/documents.ts';
import { NatsBroker } from '../../fleet/nats/broker.ts';
import { natsOptions } from '../../fleet/nats/options.ts';
import type { Broker, Subscription } from '../../fleet/port.ts';
import { SharedLearning } from '../../fleet/shared-learning.ts';
import { type Testimony, Witnesses } from '../../fleet/witnesses.ts';
import type { ProbeRequest } from '../../judge/ports.ts';
import type { Corroboration } from '../../learn/corroboration.ts';
import type { Learner } from '../../learn/learner.ts';
import { parsePublicKey, type PublicKey } from '../../minisign/keys.ts';
import type { SharedDocument } from '../../pins/document/shared.ts';
import type { FleetPolicy, Policy } from '../../pins/policy.ts';
import type { ConfigurationChange } from '../control/configuration.ts';
import type { RecentVerdicts } from '../control/recent-verdicts.ts';
import { replay } from '../control/replay.ts';
import type { Daemon, EventLog } from '../daemon.ts';
import { PairSharing } from '../pair/sharing.ts';
import type { ClosableProber, CreateProber } from '../probing/probing.ts';
import { SPELL_MS } from '../protection/losses.ts';
import type { Protection } from '../protection/protection.ts';
import { KeptState } from './kept-state.ts';
import { FleetLists, type FleetListsOptions } from './lists.ts';
import { type FleetKeyUse, readFleetKey } from './fleet-key.ts';
import { shownTo, WitnessedProber } from './witnessed-prober.ts';
import { type SharingCounts, VerdictSharing, type VerdictSharingOptions } from './verdict-sharing.ts';

/** What of the running daemon it needs. */
export interface Home {
  readonly configuration: FleetListsOptions['configuration'] & {
    share(
      by: string,
      shared: SharedDocument,
      objection: (policy: Policy) => string | undefined,
    ): Promise<ConfigurationChange>;
  };
  readonly verdicts: Pick<RecentVerdicts, 'latest' | 'listen'>;
  readonly log: { recordOf: VerdictSharingOptions['recordOf'] } & Pick<EventLog, 'write'>;
  readonly protection: Pick<Protection, 'begin' | 'end' | 'notice'>;
  /** Undefined where nothing is learned. */
  readonly learner: Pick<Learner, 'hosts' | 'sightingOf'> | undefined;
  readonly daemon: Pick<Daemon, 'policy' | 'newSessions' | 'remember' | 'probed'>;
}

export class Membership {
  readonly #policy: FleetPolicy;
  readonly #software: string;
  readonly #kept: KeptState;
  readonly #trusted: readonly PublicKey[];
  readonly #connect: () => Broker;
  /** Undefined where nothing is shared that would need one. */
  readonly #keyOf: ((use: FleetKeyUse) => Uint8Array) | undefined;
  #sharing: VerdictSharing | undefined;
  /** Asks servers in the place of other gateways, with what is this one's own. */
  #prober: ClosableProber | undefined;
  #witnesses: Witnesses | undefined;
  #answering: Subscription | undefined;
  #lists: FleetLists | undefined;
  #learned: SharedLearning | undefined;
  #pair: PairSharing | undefined;
  #state: MemberState;
  #home: Home | undefined;
  #broker: Broker | undefined;
  #member: Member | undefined;
  #look: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  /** When what runs ends to hold. */
  #expires: number | undefined;
  /** Of what runs. */
  #digest: string | undefined;

  /** Throws a sentence where what was kept, or the credentials, cannot be used. */
  constructor(policy: FleetPolicy, software: string) {
    this.#policy = policy;
    this.#software = software;
    this.#kept = new KeptState(policy.spool, policy.name);
    this.#trusted = trustedKeys(policy);
    this.#state = this.#kept.read();
    const options = natsOptions(policy, `tlspin ${gatewayName(policy)}`);
    this.#connect = () => new NatsBroker(options);
    this.#keyOf = policy.key === null ? undefined : readFleetKey(policy.key);
    this.#digest = this.shared?.digest;
  }

  /** What came last and was taken; undefined where nothing was. */
  get shared(): SharedDocument | undefined {
    const { accepted } = this.#state;
    if (accepted === null) return undefined;
    const { name, spool } = this.#policy;
    const opened = openAccepted(accepted, { name, trusted: this.#trusted });
    if ('error' in opened) {
      throw new Error(
        `what ${spool} has of the fleet "${name}" cannot be used, for ${opened.error}: add the key to "trustedKeys", or move the folder away to start without it`,
      );
    }
    this.#expires = opened.terms.expires;
    return sharedOf(opened);
  }

  /** Throws a sentence where what is to be shared cannot wait anywhere. */
  attach(home: Home): void {
    this.#home = home;
    const { name, share, spool, spoolBytes } = this.#policy;
    if (share === null || this.#keyOf === undefined) return;
    const sharing = new VerdictSharing({
      ...{ fleet: name, gateway: gatewayName(this.#policy), key: this.#keyOf('verdicts'), share },
      ...{ folder: join(spool, `${name}-verdicts`), most: spoolBytes },
      ...{ recordOf: (event) => home.log.recordOf(event), protection: home.protection },
    });
    home.verdicts.listen(({ event }) => sharing.take(event));
    this.#sharing = sharing;
  }

  /** What others have learned; undefined where that counts for nothing, and none are told. */
  get elsewhere(): Corroboration | undefined {
    const { corroborate: gateways, tellsLearned } = this.#policy;
    if (gateways === 1 && !tellsLearned) return undefined;
    return {
      gateways,
      here: { gateway: gatewayName(this.#policy), network: this.#network },
      sightingsOf: (pinset, host) => this.#learned?.sightingsOf(pinset, host) ?? [],
      touch: () => this.#learned?.touch(),
    };
  }

  /** What became of decisions; undefined where none are shared. */
  get counts(): SharingCounts | undefined {
    return this.#sharing?.counts;
  }

  /** Resolves when all decisions up to now are on disk: after `stop`, for the next process to share. */
  async settle(): Promise<void> {
    await this.#sharing?.settle();
  }

  /** Probers whose answers other gateways bear out, where the configuration wants it. Before `start`. */
  witnessed(create: CreateProber): CreateProber {
    return (policy, onInconsistent) => {
      if (this.#policy.isWitness) {
        const probe = { ...policy.probe, source: 'gateway', witnesses: 0 } as const;
        this.#prober = create({ ...policy, probe }, () => {});
      }
      return new WitnessedProber({
        prober: create(policy, onInconsistent),
        policy: policy.probe,
        ask: async (...question) => (await this.#witnesses?.ask(...question)) ?? [],
        onDisputed: (request, shown, others) => this.#onDisputed(request, shown, others),
        onTooFew: (had, wanted) => this.#onTooFew(had, wanted),
      });
    };
  }

  start(): void {
    this.#state = this.#kept.read();
    const broker = this.#connect();
    const { name } = this.#policy;
    const member = new Member({
      name,
      gateway: gatewayName(this.#policy),
      software: this.#software,
      standing: { network: this.#network, answers: this.#prober !== undefined },
      trusted: this.#trusted,
      broker,
      state: this.#state,
      keep: async (state) => {
        await this.#kept.write(state);
        this.#state = state;
      },
      apply: (shared, terms) => this.#apply(shared, terms),
      onRefused: (why) => this.#onRefused(why),
      onUnkept: (why) => this.#onUnkept(why),
    });
    this.#broker = broker;
    this.#member = member;
    broker.onConnection(() => this.#onConnection());
    this.#onConnection();
    member.start();
    this.#startLists(broker);
    this.#sharing?.start(broker);
    this.#startWitnesses(broker);
    this.#startLearning(broker);
    this.#startPair(broker);
    this.#look = setInterval(() => this.#lookAtDate(), LOOK_MS).unref();
    this.#lookAtDate();
    this.#catchUp();
  }

  async stop(): Promise<void> {
    clearInterval(this.#look);
    clearTimeout(this.#patience);
    const parts = [this.#lists, this.#learned, this.#sharing, this.#answering, this.#pair, this.#member];
    // Servers that do not answer keep nobody from ending: what they have not taken is told them by the next process.
    await atMost(STOPPING_MS, Promise.allSettled(parts.map((part) => part?.stop())));
    await this.#broker?.close();
    this.#lists = undefined;
    this.#learned = undefined;
    this.#pair = undefined;
    this.#witnesses = undefined;
    this.#member = undefined;
    this.#broker = undefined;
  }

  /** Told of each policy that has come into force. */
  adopt(policy: Policy): void {
    this.#lists?.adopt(policy);
  }

  #startLists(broker: Broker): void {
    const { name, lists } = this.#policy;
    if (lists.length === 0 || this.#keyOf === undefined) return;
    const { configuration, protection } = this.#home!;
    this.#lists = new FleetLists({
      ...{ broker, fleet: name, gateway: gatewayName(this.#policy), key: this.#keyOf('lists'), lists },
      ...{ configuration, protection },
    });
    this.#lists.start();
  }

  #startPair(broker: Broker): void {
    const { configuration, daemon } = this.#home!;
    const peer = configuration.policy.pair?.gateway ?? null;
    if (peer === null || this.#keyOf === undefined) return;
    const { name: fleet } = this.#policy;
    const gateway = gatewayName(this.#policy);
    this.#pair = new PairSharing({ broker, fleet, gateway, peer, key: this.#keyOf('pair'), daemon });
    this.#pair.start();
  }

  #startLearning(broker: Broker): void {
    const { name: fleet, tellsLearned, corroborate } = this.#policy;
    const { learner, protection } = this.#home!;
    if (learner === undefined || this.#keyOf === undefined || (corroborate === 1 && !tellsLearned)) return;
    const hosts = () => [...learner.hosts()].map(([pinset, host, of]) => ({ pinset, host, ...learner.sightingOf(of) }));
    this.#learned = new SharedLearning({
      ...{ broker, fleet, gateway: gatewayName(this.#policy), network: this.#network, key: this.#keyOf('learned') },
      hosts: tellsLearned ? hosts : undefined,
      onTrouble: (why) => {
        if (why === null) protection.end('fleet.learned', '', 'what was learned is shared again');
        else protection.begin('fleet.learned', '', why);
      },
    });
    this.#learned.start();
  }

  get #network(): string {
    return this.#policy.network ?? gatewayName(this.#policy);
  }

  #startWitnesses(broker: Broker): void {
    if (this.#keyOf === undefined) return;
    const { name: fleet } = this.#policy;
    const key = this.#keyOf('witnesses');
    const witnesses = new Witnesses({ broker, fleet, gateway: gatewayName(this.#policy), network: this.#network, key });
    this.#witnesses = witnesses;
    const prober = this.#prober;
    if (prober !== undefined) this.#answering = witnesses.answer((question, from) => shownTo(prober, question, from));
  }

  #onDisputed({ client, server }: ProbeRequest, shown: string, others: readonly Testimony[]): void {
    const said = others.map(({ gateway, network, shown: other }) => `${gateway} (${network}) was shown ${other}`);
    const detail = `${gatewayName(this.#policy)} (${this.#network}) was shown ${shown}, ${said.join(', ')}`;
    const time = Date.now() * 1000;
    this.#home!.log.write([{ kind: 'anomaly', time, flowId: 0, client, server, code: 'probe.disputed', detail }]);
  }

  #onTooFew(had: number, wanted: number): void {
    const detail = `${had} of ${wanted} witnesses have answered`;
    this.#home!.protection.notice('fleet.witnesses', '', detail, SPELL_MS);
  }

  async #apply(shared: SharedDocument, terms: Terms): Promise<Applied> {
    const by = `fleet ${this.#policy.name}, version ${terms.version} (${terms.by})`;
    const objection = (policy: Policy) => (terms.isForced ? undefined : this.#objection(policy));
    const { isInForce, error, messages } = await this.#home!.configuration.share(by, shared, objection);
    if (!isInForce) return { isInForce, reason: error ?? 'it could not be put into force', messages };
    this.#expires = terms.expires;
    this.#digest = shared.digest;
    this.#lookAtDate();
    return { isInForce };
  }

  /** The one whose place this one has taken may have heard of more meanwhile. */
  #catchUp(): void {
    const { shared } = this;
    if (shared === undefined || shared.digest === this.#digest) return;
    this.#digest = shared.digest;
    void this.#home!.configuration.share(`fleet ${this.#policy.name}, as kept`, shared, () => undefined);
  }

  /** Why a policy is not to come into force although it is valid. */
  #objection(policy: Policy): string | undefined {
    const events = [...this.#home!.verdicts.latest()].map(({ event }) => event);
    const { replayed, newly_denied: denied, denied: servers } = replay(events, policy);
    const { refuseAbove } = this.#policy;
    if (denied === 0 || denied / replayed <= refuseAbove) return undefined;
    const names = servers
      .slice(0, SERVERS)
      .map(({ sni, dest_ip: address, pinset }) => `${sni ?? address} ("${pinset}")`);
    return `it would deny ${denied} of ${replayed} decisions of late that let pass, ${names.join(', ')}, and "refuseAbove" is ${refuseAbove}: push it with --force where that is meant`;
  }

  #onRefused(why: string | null): void {
    const { protection } = this.#home!;
    if (why === null) protection.end('fleet.refused', '', 'a newer document is in force');
    else protection.begin('fleet.refused', '', why);
  }

  #onUnkept(why: string | null): void {
    const { protection } = this.#home!;
    if (why === null) protection.end('fleet.unkept', '', 'it is on disk');
    else protection.begin('fleet.unkept', '', why);
  }

  #onConnection(): void {
    const { protection } = this.#home!;
    const { isConnected, detail } = this.#broker!.connection;
    clearTimeout(this.#patience);
    if (isConnected) return protection.end('fleet.unreachable', '', `connected to ${detail}`);
    // Changing over to another server is no loss.
    this.#patience = setTimeout(() => {
      const connection = this.#broker?.connection;
      if (connection?.isConnected === false) protection.begin('fleet.unreachable', '', connection.detail);
    }, PATIENCE_MS).unref();
  }

  #lookAtDate(): void {
    const { protection } = this.#home!;
    if (this.#expires === undefined || this.#expires > Date.now()) return protection.end('fleet.expired', '');
    protection.begin('fleet.expired', '', `since ${new Date(this.#expires).toISOString()}`);
  }
}

export function gatewayName({ gateway }: FleetPolicy): string {
  return (
    gateway ??
    hostname()
      .replace(/[^\w-]/g, '-')
      .slice(0, 64)
  );
}

/** They were understood when the configuration was read. */
export function trustedKeys(policy: FleetPolicy): PublicKey[] {
  return policy.trustedKeys.map(parsePublicKey).flatMap((key) => ('error' in key ? [] : [key]));
}

const LOOK_MS = 10_000;
const PATIENCE_MS = 3_000;
const STOPPING_MS = 3_000;
const SERVERS = 5;
