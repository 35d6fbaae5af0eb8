/**
 * The console's end of the control socket: follows the engine's events, asks every two seconds how it stands, and is
 * there again when the engine is. What comes of it is for its listener.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { VerdictRecord } from '../report/schema.ts';
import { ControlClient, type Request } from '../runtime/control/client.ts';
import type { PinsetView } from '../runtime/control/pinsets.ts';
import { subscribe, type Subscription } from '../runtime/control/subscription.ts';
import type { InboxAnswer } from '../runtime/incident/inbox.ts';
import type { EngineState, EngineStatus, Health } from './api.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface EngineListener {
  onVerdict(record: VerdictRecord, queue: number): void;
  /** Of every other kind. */
  onRecord(record: Fields): void;
  onAnswers(answers: readonly InboxAnswer[]): void;
  onPinsets(pinsets: readonly PinsetView[]): void;
  onStatus(health: Health, status: EngineStatus): void;
  onState(state: EngineState): void;
}

export class EngineLink {
  readonly #path: string;
  readonly #listener: EngineListener;
  #state: EngineState = { state: 'gone', since: new Date().toISOString(), error: 'not asked yet', missed: 0 };
  #subscription: Subscription | undefined;
  #run: unknown;
  #last = 0;
  readonly #ending = new AbortController();

  constructor(path: string, listener: EngineListener) {
    this.#path = path;
    this.#listener = listener;
  }

  get state(): EngineState {
    return this.#state;
  }

  /** Resolves when it was tried once; goes on until `stop`. */
  async start(): Promise<void> {
    const first = this.#connect();
    await first.catch(() => {});
    void this.#go(first);
  }

  stop(): void {
    this.#ending.abort();
    this.#subscription?.close();
  }

  /** Rejects with a sentence. */
  async ask(request: Request): Promise<Fields> {
    const client = await ControlClient.connect(this.#path, PATIENCE_MS);
    try {
      return await client.ask(request);
    } finally {
      client.close();
    }
  }

  async #go(first: Promise<Subscription>): Promise<void> {
    for (let connecting = first; ; connecting = this.#connect()) {
      try {
        await this.#follow(await connecting);
        this.#become('gone', 'the engine has ended, or let the console go');
      } catch (error) {
        this.#become('gone', (error as Error).message);
      }
      try {
        await sleep(AGAIN_MS, undefined, { signal: this.#ending.signal });
      } catch {
        return;
      }
    }
  }

  async #connect(): Promise<Subscription> {
    const more = this.#run === undefined ? {} : { run: this.#run, after: this.#last };
    const subscription = await subscribe(this.#path, { events: EVENTS, limit: MOST, ...more });
    this.#subscription = subscription;
    try {
      this.#listener.onAnswers((await this.ask({ command: 'inbox' }))['answers'] as InboxAnswer[]);
      await this.#readPinsets();
      await this.#poll();
    } catch (error) {
      subscription.close();
      throw error;
    }
    const { run, missed } = subscription.answer;
    this.#run = run;
    this.#become('connected', null, Number(missed));
    return subscription;
  }

  async #follow({ events }: Subscription): Promise<void> {
    const polling = setInterval(() => void this.#poll().catch(() => {}), POLL_MS);
    try {
      for await (const event of events) this.#take(event);
    } finally {
      clearInterval(polling);
    }
  }

  #take(event: Fields): void {
    if (event['event_type'] === 'verdict') {
      const { queue, number, ...record } = event;
      this.#last = Number(number);
      return this.#listener.onVerdict(record as VerdictRecord, Number(queue));
    }
    if (event['event_type'] === 'config') void this.#readPinsets().catch(() => {});
    this.#listener.onRecord(event);
  }

  async #readPinsets(): Promise<void> {
    this.#listener.onPinsets((await this.ask({ command: 'pinsets' }))['pinsets'] as PinsetView[]);
  }

  async #poll(): Promise<void> {
    const { status } = (await this.ask({ command: 'status', brief: true })) as unknown as {
      status: EngineStatus & { readonly health: Health };
    };
    this.#listener.onStatus(status.health, status);
  }

  #become(state: EngineState['state'], error: string | null, missed = 0): void {
    if (state === this.#state.state && error === this.#state.error && missed === 0) return;
    const since = state === this.#state.state ? this.#state.since : new Date().toISOString();
    this.#state = { state, since, error, missed: this.#state.missed + missed };
    this.#listener.onState(this.#state);
  }
}

const EVENTS = ['verdict', 'anomaly', 'config', 'answer', 'start', 'stop'];
/** As many as an engine remembers. */
const MOST = 2_000;
const PATIENCE_MS = 10_000;
const POLL_MS = 2_000;
const AGAIN_MS = 1_000;
