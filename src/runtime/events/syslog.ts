/**
 * The syslog daemon of the host, or journald, as a place for the log: a datagram for each record to the unix socket that
 * it listens on. One that goes away and comes back is spoken to again. Knows both ways in which records are written there:
 *
 *   local    <30>Nov 21 19:31:36 tlspin[4711]: {…}                                    as syslog(3) does
 *   rfc5424  <30>1 2026-11-21T19:31:36.120123Z gateway tlspin 4711 verdict - {…}      RFC 5424 §6
 */
import { closeSync, write } from 'node:fs';
import { hostname } from 'node:os';
import { getSystemErrorName } from 'node:util';

import type { SyslogForm, SyslogTarget } from '../../pins/policy.ts';
import type { EveRecord } from '../../report/eve.ts';
import type { LogChannel, LogDestination, WriteError } from '../../report/log-destination.ts';

/** The descriptor of a socket that datagrams are written to; throws an Error with `errno`. */
export type ConnectDatagrams = (path: string) => number;

export function syslogDestination(target: SyslogTarget, name: string, connect: ConnectDatagrams): LogDestination {
  return {
    name,
    key: JSON.stringify(target),
    linesAWrite: 1,
    form: (record, line) => syslogMessage(target, record, line.trimEnd()),
    open: (onDown) => new SyslogChannel(target.socket, connect, onDown),
  };
}

/** `json`: the record, without the end of its line. */
export function syslogMessage({ facility, format }: SyslogForm, record: EveRecord, json: string): string {
  const priority = `<${facility * 8 + severityOf(record)}>`;
  if (format === 'local') return `${priority}${localTime(new Date())} tlspin[${process.pid}]: ${json}`;
  const time = String(record['timestamp']).replace(/\+0000$/u, 'Z');
  return `${priority}1 ${time} ${hostname() || '-'} tlspin ${process.pid} ${record.event_type} - ${json}`;
}

class SyslogChannel implements LogChannel {
  readonly isTorn = false;
  readonly #path: string;
  readonly #connect: ConnectDatagrams;
  #descriptor: number | undefined;
  #isWriting = false;
  #isClosed = false;

  constructor(path: string, connect: ConnectDatagrams, onDown: (why: string) => void) {
    this.#path = path;
    this.#connect = connect;
    const why = this.#open();
    if (why !== undefined) onDown(why);
  }

  get isUp(): boolean {
    return this.#descriptor !== undefined;
  }

  write(octets: Buffer, at: number, done: (error: WriteError | null, count: number) => void): void {
    const why = this.isUp ? undefined : this.#open();
    if (why !== undefined) return done({ code: why }, 0);
    this.#isWriting = true;
    write(this.#descriptor!, octets, at, octets.length - at, null, (error, count) => {
      this.#isWriting = false;
      if (this.#isClosed) this.#close();
      const code = error?.code;
      if (code === undefined) return done(null, count);
      if (code === 'EMSGSIZE') return done({ code: 'too long for a datagram', isFinal: true }, 0);
      // Who listened there is gone; another one may be there.
      if (code !== 'EAGAIN' && code !== 'ENOBUFS') this.#close();
      done({ code: code === 'ENOBUFS' ? 'EAGAIN' : code }, 0);
    });
  }

  reopen(): undefined {
    return undefined;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    if (!this.#isWriting) this.#close();
    return Promise.resolve();
  }

  /** Why it cannot be. */
  #open(): string | undefined {
    try {
      this.#descriptor = this.#connect(this.#path);
      return undefined;
    } catch (error) {
      const { errno } = error as { errno?: number };
      const name = errno === undefined ? String(error) : getSystemErrorName(-errno);
      return name === 'ENOENT' || name === 'ECONNREFUSED' ? `${name}: nobody listens there` : name;
    }
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** RFC 5424 §6.2.1. */
function severityOf(record: EveRecord): number {
  const { event_type: eventType } = record;
  const { action, severity, state } = (record[eventType] ?? {}) as Readonly<Record<string, unknown>>;
  switch (eventType) {
    case 'verdict':
      return action === 'accept' ? INFORMATIONAL : WARNING;
    case 'anomaly':
      if (state === 'end') return NOTICE;
      return severity === 'unprotected' ? CRITICAL : WARNING;
    case 'stats':
      return INFORMATIONAL;
    case 'answer':
    case 'config':
    case 'start':
    case 'stop':
      return NOTICE;
  }
}

/** RFC 3164 §4.1.2. */
function localTime(time: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = String(time.getDate()).padStart(2);
  return `${MONTHS[time.getMonth()]} ${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

const CRITICAL = 2;
const WARNING = 4;
const NOTICE = 5;
const INFORMATIONAL = 6;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
