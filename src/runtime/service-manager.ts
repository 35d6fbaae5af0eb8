/**
 * What the service manager is told (sd_notify(3)): ready, reloading, stopping, and that the watchdog may sleep; and the
 * descriptors that it keeps from one process of the service to the next (FileDescriptorStoreMax=). Silent where
 * $NOTIFY_SOCKET is not set.
 */
import { getSystemErrorName } from 'node:util';

export interface Notifier {
  /** One datagram, and descriptors beside it; 0 or an errno. */
  notify(path: string, message: string, descriptors: readonly number[]): number;
}

export class ServiceManager {
  readonly #path: string | undefined;
  readonly #notifier: Notifier;
  /** How often the watchdog wants to hear of us, in milliseconds; undefined when it does not. */
  readonly watchdogMs: number | undefined;
  /** How many descriptors it keeps. */
  readonly room: number;
  /** Those that it has kept, by name, for this process. */
  readonly kept: ReadonlyMap<string, number>;

  constructor(environment: NodeJS.ProcessEnv, notifier: Notifier) {
    this.#path = environment['NOTIFY_SOCKET'] || undefined;
    this.#notifier = notifier;
    this.watchdogMs = this.#path === undefined ? undefined : watchdogInterval(environment);
    this.room = this.#path === undefined ? 0 : Number(environment['FDSTORE'] ?? 0) || 0;
    this.kept = passedDescriptors(environment);
  }

  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${status}`);
  }

  /** Ends with `ready`. Type=notify-reload wants the monotonic time with it. */
  reloading(): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(): void {
    this.#send('STOPPING=1');
  }

  alive(): void {
    this.#send('WATCHDOG=1');
  }

  /** It is closed where the service is stopped and not started again. Throws a sentence. */
  keep(name: string, descriptor: number): void {
    // A queue that has lost packets polls as one in error, which would be taken for its end.
    const errno = this.#send(`FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`, [descriptor]);
    if (errno !== 0) throw new Error(`the service manager cannot be reached (${getSystemErrorName(-errno)})`);
  }

  /** It is kept for nobody any more. */
  discard(name: string): void {
    this.#send(`FDSTOREREMOVE=1\nFDNAME=${name}`);
  }

  #send(message: string, descriptors: readonly number[] = []): number {
    return this.#path === undefined ? 0 : this.#notifier.notify(this.#path, message, descriptors);
  }
}

/** sd_listen_fds_with_names(3). */
function passedDescriptors({ LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }: NodeJS.ProcessEnv): Map<string, number> {
  const count = Number(LISTEN_PID) === process.pid ? Number(LISTEN_FDS) || 0 : 0;
  const names = LISTEN_FDNAMES?.split(':') ?? [];
  return new Map(names.slice(0, count).map((name, i) => [name, FIRST_PASSED + i]));
}

/** sd_watchdog_enabled(3): half the time that is allowed. */
function watchdogInterval({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  const micros = Number(WATCHDOG_USEC);
  if (!(micros > 0) || (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== process.pid)) return undefined;
  return Math.max(1, Math.floor(micros / 2000));
}

/** SD_LISTEN_FDS_START */
const FIRST_PASSED = 3;
