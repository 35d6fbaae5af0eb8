/**
 * What the service manager is told (sd_notify(3)): ready, reloading, stopping, and that the watchdog may sleep. Silent
 * where $NOTIFY_SOCKET is not set.
 */
export interface Notifier {
  /** One datagram; 0 or an errno. */
  notify(path: string, message: string): number;
}

export class ServiceManager {
  readonly #path: string | undefined;
  readonly #notifier: Notifier;
  /** How often the watchdog wants to hear of us, in milliseconds; undefined when it does not. */
  readonly watchdogMs: number | undefined;

  constructor(environment: NodeJS.ProcessEnv, notifier: Notifier) {
    this.#path = environment['NOTIFY_SOCKET'] || undefined;
    this.#notifier = notifier;
    this.watchdogMs = this.#path === undefined ? undefined : watchdogInterval(environment);
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

  #send(message: string): void {
    if (this.#path !== undefined) this.#notifier.notify(this.#path, message);
  }
}

/** sd_watchdog_enabled(3): half the time that is allowed. */
function watchdogInterval({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  const micros = Number(WATCHDOG_USEC);
  if (!(micros > 0) || (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== process.pid)) return undefined;
  return Math.max(1, Math.floor(micros / 2000));
}
