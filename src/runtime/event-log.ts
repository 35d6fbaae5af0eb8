/**
 * The main thread's end of the log: events of the packet threads become records. Owns what the records need beyond the
 * events (certificates described), and the counting of what was logged.
 */
import type { FlowEvent } from '../engine/events.ts';
import type { Policy } from '../pins/policy.ts';
import { CertificateEntries } from '../report/certificate-entry.ts';
import { toEve } from '../report/eve.ts';
import { VerdictLog } from '../report/verdict-log.ts';
import { describeCertificate } from '../x509/certificate.ts';
import { presentCertificate } from '../x509/presented.ts';
import type { EventLog } from './daemon.ts';

export class EveLog implements EventLog {
  readonly #log: VerdictLog;
  #certificates: CertificateEntries;

  /** `destination`: a path, or `-` for standard output. Rejects with a sentence that names it. */
  static async open(destination: string, policy: Policy): Promise<EveLog> {
    return new EveLog(await VerdictLog.open({ destination, backlog: policy.limits.logBacklog }), policy);
  }

  constructor(log: VerdictLog, policy: Policy) {
    this.#log = log;
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
    for (const event of events) this.#log.write(toEve(event, { certificates: this.#certificates }));
  }

  reopen(): Promise<void> {
    return this.#log.reopen();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

function certificatesFor(policy: Policy): CertificateEntries {
  return new CertificateEntries(
    { present: presentCertificate, describe: describeCertificate },
    policy.log.certificates,
  );
}
