/**
 * The main thread's end of the log: events of the packet threads become records. Owns what the records need beyond the
 * events (certificates described), and the counting of what was logged.
 */
import { hostname } from 'node:os';

import type { FlowEvent, LoggedEvent } from '../../judge/events.ts';
import type { Policy } from '../../pins/policy.ts';
import { CertificateEntries } from '../../report/certificate-entry.ts';
import { type EveRecord, type Machine, type OfNoFlow, recordOf, toEve } from '../../report/eve.ts';
import { type WatchFilter, watchLine } from '../../report/watch.ts';
import type { LogTrouble } from '../../report/log-output.ts';
import { VerdictLog } from '../../report/verdict-log.ts';
import { InterfaceNames } from '../../source/interface-names.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import { presentCertificate } from '../../x509/presented.ts';
import type { EventLog } from '../daemon.ts';

export interface EveLogOptions {
  /** A path, or `-` for standard output. */
  readonly destination: string;
  readonly policy: Policy;
  /** One line to the operator. */
  readonly say: (line: string) => void;
  /** Whose handshake messages are to be said. */
  readonly watch?: WatchFilter | undefined;
}

export class EveLog implements EventLog {
  readonly #log: VerdictLog;
  /** A path, or `-` for standard output. */
  readonly destination: string;
  #certificates: CertificateEntries;
  readonly #interfaces = new InterfaceNames();
  readonly #machine: Machine = { host: hostname(), interfaceName: (ifindex) => this.#interfaces.nameOf(ifindex) };
  readonly #say: (line: string) => void;
  readonly #watch: WatchFilter | undefined;

  /** Throws a sentence that names the destination. */
  constructor({ destination, policy, say, watch }: EveLogOptions) {
    this.destination = destination;
    const { logBacklog: backlog } = policy.limits;
    this.#log = new VerdictLog({ destination, backlog, onTrouble: (trouble) => this.onTrouble(trouble) });
    this.#say = say;
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
        if (this.#watch?.(event)) this.#say(watchLine(event, READERS));
      } else if (event.kind !== 'continued') {
        this.#log.write(this.recordOf(event));
      }
    }
  }

  /** As it is logged. */
  recordOf(event: LoggedEvent): EveRecord {
    return toEve(event, { certificates: this.#certificates, machine: this.#machine });
  }

  /** What is of no flow. */
  record(eventType: OfNoFlow, fields: Readonly<Record<string, unknown>>): void {
    this.#log.write(recordOf(eventType, Date.now() * 1000, fields, { host: this.#machine.host }));
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
    return this.#log.drain();
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  /** Tells of records that are lost or cannot be written, and when that is over. Until somebody listens it is said. */
  onTrouble: (trouble: LogTrouble) => void = ({ detail }) => this.#say(detail);
}

function certificatesFor(policy: Policy): CertificateEntries {
  return new CertificateEntries(READERS, policy.log.certificates);
}

const READERS = { present: presentCertificate, describe: describeCertificate };
