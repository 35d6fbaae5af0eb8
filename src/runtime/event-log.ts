/**
 * The main thread's end of the log: events of the packet threads become records. Owns what the records need beyond the
 * events (certificates described), and the counting of what was logged.
 */
import type { FlowEvent } from '../judge/events.ts';
import type { Policy } from '../pins/policy.ts';
import { CertificateEntries } from '../report/certificate-entry.ts';
import { recordOf, toEve } from '../report/eve.ts';
import { type WatchFilter, watchLine } from '../report/watch.ts';
import { VerdictLog } from '../report/verdict-log.ts';
import { describeCertificate } from '../x509/certificate.ts';
import { presentCertificate } from '../x509/presented.ts';
import type { EventLog } from './daemon.ts';

/** Handshake messages for whoever watches, apart from the log. */
export interface Watch {
  readonly filter: WatchFilter;
  readonly say: (line: string) => void;
}

export class EveLog implements EventLog {
  readonly #log: VerdictLog;
  #certificates: CertificateEntries;
  readonly #watch: Watch | undefined;

  /** `destination`: a path, or `-` for standard output. Rejects with a sentence that names it. */
  static async open(destination: string, policy: Policy, watch?: Watch): Promise<EveLog> {
    return new EveLog(await VerdictLog.open({ destination, backlog: policy.limits.logBacklog }), policy, watch);
  }

  constructor(log: VerdictLog, policy: Policy, watch?: Watch) {
    this.#log = log;
    this.#watch = watch;
    this.#certificates = certificatesFor(policy);
  }

  /** Records that the log's reader was too slow for. */
  get dropped(): number {
    return this.#log.dropped;
  }

  adopt(policy: Policy): void {
    this.#certificates = certificatesFor(policy);
  }

  write(events: readonly FlowEvent[]): void {
    for (const event of events) {
      if (event.kind === 'handshake') {
        if (this.#watch?.filter(event)) this.#watch.say(watchLine(event, READERS));
      } else if (event.kind !== 'continued') {
        this.#log.write(toEve(event, { certificates: this.#certificates }));
      }
    }
  }

  /** What is of no flow. */
  record(eventType: 'config' | 'stats', fields: Readonly<Record<string, unknown>>): void {
    this.#log.write(recordOf(eventType, Date.now() * 1000, fields));
  }

  get written(): number {
    return this.#log.written;
  }

  reopen(): Promise<void> {
    return this.#log.reopen();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

function certificatesFor(policy: Policy): CertificateEntries {
  return new CertificateEntries(READERS, policy.log.certificates);
}

const READERS = { present: presentCertificate, describe: describeCertificate };
