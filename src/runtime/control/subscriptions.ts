/**
 * Who follows the events of a running engine: connections that were handed on by the control socket, each of which is told
 * every record as it comes, a line each. Nobody waits for them: whoever does not read is let go, and counted. Knows
 * records and sockets, and not what they are about.
 *
 *   {"command":"subscribe"} ─▶ {"ok":true,"run":…,"last":…,"missed":…} ─▶ verdicts of late ─▶ records as they come
 */
import type { Socket } from 'node:net';

import { jsonText } from '../../bytes/invisible.ts';
import type { EveRecord } from '../../report/eve.ts';
import { verdictsOfLate, type WantedVerdicts, wantedVerdicts } from './flows.ts';
import type { RecentVerdict } from './recent-verdicts.ts';
import type { RequestReader } from './requests.ts';
import type { HandedOn } from './server.ts';
import type { Overview } from './status.ts';

export interface SubscriptionsOptions extends Pick<Overview, 'verdicts' | 'log'> {
  readonly bounds?: Partial<SubscriptionBounds>;
}

export interface SubscriptionBounds {
  readonly subscribers: number;
  /** Octets that may wait for one, besides what it has asked for of the past. */
  readonly octets: number;
}

export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #bounds: SubscriptionBounds;
  readonly #subscribers = new Set<Subscriber>();
  /** Who asks again with numbers of another process is not to believe that they are of this one. */
  readonly #run = `${process.pid} ${Date.now()}`;
  #dropped = 0;
  #isOpen = true;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    this.#bounds = { ...BOUNDS, ...options.bounds };
    options.verdicts.listen((verdict) => this.#onVerdict(verdict));
    options.log.follow((record) => this.#onRecord(record));
  }

  get counts(): { readonly now: number; readonly dropped: number } {
    return { now: this.#subscribers.size, dropped: this.#dropped };
  }

  /** Throws a sentence where there is no room for it, or what it asks for cannot be understood. */
  answer(request: RequestReader): HandedOn {
    const events = request.texts('events');
    const run = request.text('run');
    const unknown = events.find((event) => !EVENTS.has(event));
    if (unknown !== undefined) throw new Error(`"events" may be ${[...EVENTS].join(', ')}, not "${unknown}"`);
    if (this.#subscribers.size >= this.#bounds.subscribers) {
      throw new Error(`there are ${this.#bounds.subscribers} subscribers already`);
    }
    const wants = wantedVerdicts(request, run === this.#run);
    request.end();
    return { handOn: (socket) => this.#begin(socket, wants, new Set(events.length === 0 ? EVENTS : events)) };
  }

  /** They are to connect again, to whoever listens there then; and who was about to begin is not waited for. */
  close(): void {
    this.#isOpen = false;
    for (const { socket } of this.#subscribers) socket.destroy();
  }

  /** After `close`. */
  reopen(): void {
    this.#isOpen = true;
  }

  #begin(socket: Socket, wants: WantedVerdicts, events: ReadonlySet<string>): void {
    if (!this.#isOpen) return void socket.destroy();
    const subscriber = new Subscriber(socket, wants.fits, events);
    this.#subscribers.add(subscriber);
    socket.once('close', () => this.#subscribers.delete(subscriber));
    const { found, ...rest } = verdictsOfLate(this.#options.verdicts, wants);
    const past = events.has('verdict') ? found.reverse().map((verdict) => this.#recordOf(verdict)) : [];
    subscriber.begin([{ ok: true, run: this.#run, ...rest }, ...past].map((each) => `${jsonText(each)}\n`).join(''));
  }

  #onVerdict(verdict: RecentVerdict): void {
    this.#tell(
      (subscriber) => subscriber.events.has('verdict') && subscriber.fits(verdict),
      () => this.#recordOf(verdict),
    );
  }

  #recordOf({ queue, number, event }: RecentVerdict): object {
    return { queue, number, ...this.#options.log.recordOf(event) };
  }

  #onRecord(record: EveRecord): void {
    this.#tell(
      ({ events }) => events.has(record.event_type),
      () => record,
    );
  }

  #tell(isFor: (subscriber: Subscriber) => boolean, record: () => object): void {
    let line: Buffer | undefined;
    for (const subscriber of this.#subscribers) {
      if (!isFor(subscriber)) continue;
      line ??= Buffer.from(`${jsonText(record())}\n`);
      if (subscriber.tell(line, this.#bounds.octets)) continue;
      this.#subscribers.delete(subscriber);
      this.#dropped++;
    }
  }
}

class Subscriber {
  readonly socket: Socket;
  readonly fits: (verdict: RecentVerdict) => boolean;
  readonly events: ReadonlySet<string>;
  /** Octets of the past that still wait. */
  #past = 0;

  constructor(socket: Socket, fits: (verdict: RecentVerdict) => boolean, events: ReadonlySet<string>) {
    this.socket = socket;
    this.fits = fits;
    this.events = events;
    // Nothing more is expected of it but that it goes.
    socket.once('end', () => socket.destroy()).resume();
  }

  begin(text: string): void {
    const bytes = Buffer.from(text);
    this.#past = bytes.length;
    this.socket.write(bytes, () => (this.#past = 0));
  }

  /** Whether it is still there. */
  tell(line: Buffer, most: number): boolean {
    if (this.socket.writableLength > most + this.#past) {
      this.socket.destroy();
      return false;
    }
    this.socket.write(line);
    return true;
  }
}

const EVENTS: ReadonlySet<string> = new Set(['verdict', 'anomaly', 'config', 'answer', 'stats', 'start', 'stop']);
const BOUNDS: SubscriptionBounds = { subscribers: 16, octets: 4 * 1024 * 1024 };
