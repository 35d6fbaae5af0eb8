/**
 * The main thread's end of the log: events of the packet threads become records. Owns what the records need beyond the
 * events (certificates described), and the counting of what was logged.
 */
import { hostname } from 'node:os';

import type { FlowEvent, LoggedEvent } from '../../judge/events.ts';
import type { LogTarget, Policy } from '../../pins/policy.ts';
import { CertificateEntries } from '../../report/certificate-entry.ts';
import { EveLines } from '../../report/eve-line.ts';
import { type EveOptions, type EveRecord, type Machine, type OfNoFlow, recordOf, toEve } from '../../report/eve.ts';
import { type WatchFilter, watchLine } from '../../report/watch.ts';
import type { LogTrouble } from '../../report/log-output.ts';
import { type DestinationCounts, VerdictLog } from '../../report/verdict-log.ts';
import { InterfaceNames } from '../../source/interface-names.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import { presentCertificate } from '../../x509/presented.ts';
import type { EventLog } from '../daemon.ts';
import { destinationsOf } from './destinations.ts';

export interface EveLogOptions {
  /** Instead of those of the policy. */
  readonly targets?: readonly LogTarget[] | undefined;
  readonly policy: Policy;
  /** One line to the operator. */
  readonly say: (line: string) => void;
  /** Whose handshake messages are to be said. */
  readonly watch?: WatchFilter | undefined;
}

export class EveLog implements EventLog {
  readonly #log: VerdictLog;
  readonly #fixed: readonly LogTarget[] | undefined;
  #targets: readonly LogTarget[];
  #form: EveOptions;
  #lines: EveLines;
  readonly #interfaces = new InterfaceNames();
  readonly #machine: Machine = { host: hostname(), interfaceName: (ifindex) => this.#interfaces.nameOf(ifindex) };
  readonly #say: (line: string) => void;
  readonly #watch: WatchFilter | undefined;
  /** Hashes of configurations that a record has told of. */
  readonly #introduced = new Set<string>();
  /** Verdicts by a configuration of which no record tells yet. */
  readonly #early: LoggedEvent[] = [];
  readonly #mostEarly: number;
  readonly #troubles = new Map<string, LogTrouble>();
  #listener: ((trouble: LogTrouble) => void) | undefined;
  #follower: ((record: EveRecord) => void) | undefined;

  /** Throws a sentence that names the destination. */
  constructor({ targets, policy, say, watch }: EveLogOptions) {
    this.#say = say;
    this.#watch = watch;
    this.#fixed = targets;
    this.#targets = this.#targetsOf(policy);
    this.#sayWhatIsUnused(policy);
    this.#log = new VerdictLog({
      destinations: destinationsOf(this.#targets),
      backlog: policy.limits.logBacklog,
      onTrouble: (trouble) => this.#onTrouble(trouble),
    });
    this.#form = this.#formFor(policy);
    this.#lines = new EveLines(this.#form);
    this.#mostEarly = policy.limits.logBacklog;
  }

  /** Records that the log's reader was too slow for. */
  get dropped(): number {
    return this.#log.dropped;
  }

  /** What became of records, by destination. */
  get destinations(): readonly DestinationCounts[] {
    return this.#log.counts;
  }

  /** Path of the first file among the destinations. */
  get file(): string | null {
    const paths = this.#targets.flatMap((target) =>
      target.kind === 'file' && target.path !== '-' ? [target.path] : [],
    );
    return paths[0] ?? null;
  }

  /**
   * Opens what a policy has records go to, and has them go there as well; throws a sentence, and all stays as it was. Once
   * it is committed to, they go nowhere else, and are made by its wishes.
   */
  prepare(policy: Policy): { commit(): void; cancel(): void } {
    const targets = this.#targetsOf(policy);
    const prepared = this.#log.prepare(destinationsOf(targets));
    return {
      commit: () => {
        prepared.commit();
        this.#targets = targets;
        this.#form = this.#formFor(policy);
        this.#lines = new EveLines(this.#form);
        this.#sayWhatIsUnused(policy);
      },
      cancel: () => prepared.cancel(),
    };
  }

  #sayWhatIsUnused({ log: { to } }: Policy): void {
    if (this.#fixed !== undefined && to !== undefined) this.#say(UNUSED);
  }

  #formFor({ log }: Policy): EveOptions {
    return { certificates: new CertificateEntries(READERS, log.certificates), machine: this.#machine };
  }

  #targetsOf({ log: { to } }: Policy): readonly LogTarget[] {
    return this.#fixed ?? to ?? [STANDARD_OUTPUT];
  }

  write(events: readonly FlowEvent[]): void {
    for (const event of events) {
      if (event.kind === 'handshake') {
        if (this.#watch?.(event)) this.#say(watchLine(event, READERS));
      } else if (event.kind !== 'continued') {
        this.#put(event);
      }
    }
  }

  /** What decided is introduced by a record of its own, which comes first. */
  #put(event: LoggedEvent): void {
    const isKnown = event.kind !== 'verdict' || this.#introduced.has(event.config);
    if (isKnown) return this.#send(event);
    this.#early.push(event);
    if (this.#early.length >= this.#mostEarly) this.#putEarly();
  }

  #putEarly(): void {
    for (const event of this.#early.splice(0)) this.#send(event);
  }

  #send(event: LoggedEvent): void {
    this.#log.writeLine(this.#lines.lineOf(event), () => this.recordOf(event), lostBy(event));
    if (event.kind === 'anomaly') this.#follower?.(this.recordOf(event));
  }

  /** Has somebody told of every record but verdicts. */
  follow(follower: (record: EveRecord) => void): void {
    this.#follower = follower;
  }

  /** As it is logged. */
  recordOf(event: LoggedEvent): EveRecord {
    return toEve(event, this.#form);
  }

  /** What is of no flow. */
  record(eventType: OfNoFlow, fields: Readonly<Record<string, unknown>>): void {
    const record = recordOf(eventType, Date.now() * 1000, fields, { host: this.#machine.host });
    this.#log.write(record);
    this.#follower?.(record);
    const { config } = fields;
    if (typeof config !== 'string' || this.#introduced.has(config)) return;
    this.#introduced.add(config);
    this.#putEarly();
  }

  get written(): number {
    return this.#log.written;
  }

  /** Throws a sentence, and all stays as it was. */
  reopen(): void {
    this.#log.reopen();
  }

  /** Resolves when nothing waits, or nothing more of it goes out. */
  drain(): Promise<void> {
    this.#putEarly();
    return this.#log.drain();
  }

  close(): Promise<void> {
    this.#putEarly();
    return this.#log.close();
  }

  /** Has somebody told of records that are lost or cannot be written, and when that is over. Until then it is said. */
  listen(listener: (trouble: LogTrouble) => void): void {
    this.#listener = listener;
    for (const trouble of this.#troubles.values()) listener(trouble);
  }

  #onTrouble(trouble: LogTrouble): void {
    if (trouble.isOver) this.#troubles.delete(trouble.name);
    else this.#troubles.set(trouble.name, trouble);
    if (this.#listener === undefined) this.#say(trouble.detail);
    else this.#listener(trouble);
  }
}

/** What cannot take records is not to be told so by one. */
function lostBy(event: LoggedEvent): string | undefined {
  const isLoss = event.kind === 'anomaly' && event.code === 'log.lost' && event.condition?.state === 'begin';
  return isLoss ? event.condition.subject : undefined;
}

const READERS = { present: presentCertificate, describe: describeCertificate };
const STANDARD_OUTPUT: LogTarget = { kind: 'file', path: '-' };
const UNUSED = 'records go where --log says: "to" of the configuration is not used';
