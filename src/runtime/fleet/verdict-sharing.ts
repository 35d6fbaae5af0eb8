/**
 * This gateway's decisions on their way to the fleet. Some are gathered, go to disk as one batch, and from there to the
 * stream, one batch after the other, until the carrier has said that it has it: at least once, whatever ends in between.
 * Nobody waits for it: what there is no room for is lost, counted, and told of.
 *
 *   decision -> gathered -> spool (disk) -> stream -> removed from the spool
 *                            | full: the oldest are lost
 */
import { type Broker, BrokerError, type Stream } from '../../fleet/port.ts';
import { batchId, batchOctets } from '../../fleet/verdict-batch.ts';
import { verdictStream } from '../../fleet/verdict-stream.ts';
import { jsonText } from '../../bytes/invisible.ts';
import type { VerdictEvent } from '../../judge/events.ts';
import { SPELL_MS } from '../protection/losses.ts';
import type { Protection } from '../protection/protection.ts';
import { Spool, type Spooled } from './spool.ts';

export interface VerdictSharingOptions {
  readonly fleet: string;
  readonly gateway: string;
  /** Of the seals. */
  readonly key: Uint8Array;
  readonly share: 'verdicts' | 'denials';
  /** Where batches wait, and how many octets of them. */
  readonly folder: string;
  readonly most: number;
  readonly recordOf: (event: VerdictEvent) => object;
  readonly protection: Pick<Protection, 'begin' | 'end' | 'notice'>;
}

export interface SharingCounts {
  /** Records that have arrived. */
  readonly shared: number;
  readonly lost: number;
  /** Octets that wait. */
  readonly waiting: number;
}

export class VerdictSharing {
  readonly #options: VerdictSharingOptions;
  readonly #spool: Spool;
  readonly #run = Date.now();
  #number = 0;
  #gathered: string[] = [];
  #octets = 0;
  #due: NodeJS.Timeout | undefined;
  /** On their way to the disk. */
  #spooling: Promise<void> = Promise.resolve();
  #toSpool = 0;
  #broker: Broker | undefined;
  #carrying: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #shared = 0;
  #lost = 0;

  /** Throws a sentence where the folder cannot be had. */
  constructor(options: VerdictSharingOptions) {
    this.#options = options;
    try {
      this.#spool = new Spool(options.folder, options.most, (records) => this.#onLost(records));
    } catch (cause) {
      const { message } = cause as Error;
      throw new Error(`decisions for the fleet cannot wait in ${options.folder}: ${message}`, { cause });
    }
  }

  get counts(): SharingCounts {
    return { shared: this.#shared, lost: this.#lost, waiting: this.#spool.octets };
  }

  take(event: VerdictEvent): void {
    const isDenial = event.action !== 'accept' || (event.would !== null && event.would !== 'accept');
    if (this.#options.share === 'denials' && !isDenial) return;
    // A disk that is too slow is to fill no memory.
    if (this.#toSpool >= BATCHES_TO_SPOOL) return this.#onLost(1);
    const line = `${jsonText(this.#options.recordOf(event))}\n`;
    this.#gathered.push(line);
    this.#octets += line.length;
    if (this.#gathered.length >= RECORDS || this.#octets >= OCTETS) return this.#close();
    this.#due ??= setTimeout(() => this.#close(), GATHERING_MS).unref();
  }

  /** Begins with what other processes have left. */
  start(broker: Broker): void {
    this.#spool.takeIn();
    this.#broker = broker;
    broker.onConnection(({ isConnected }) => isConnected && this.#carry());
    this.#carry();
  }

  /** Carries no more; what comes still waits on disk. */
  async stop(): Promise<void> {
    this.#broker = undefined;
    clearTimeout(this.#retry);
    await this.#carrying;
  }

  /** Resolves when everything that was taken is on disk. */
  async settle(): Promise<void> {
    this.#close();
    await this.#spooling;
  }

  #close(): void {
    clearTimeout(this.#due);
    this.#due = undefined;
    const lines = this.#gathered;
    if (lines.length === 0) return;
    this.#gathered = [];
    this.#octets = 0;
    const of = { run: this.#run, number: ++this.#number, records: lines.length };
    this.#toSpool++;
    this.#spooling = this.#spooling.then(async () => {
      const { gateway, fleet, key } = this.#options;
      const added = this.#spool.add(of, batchOctets({ gateway, ...of }, lines, { fleet, key }));
      this.#carry();
      await added;
      this.#toSpool--;
    });
  }

  #carry(): void {
    const broker = this.#broker;
    if (broker === undefined || !broker.connection.isConnected) return;
    if (this.#carrying !== undefined || this.#spool.oldest === undefined) return;
    clearTimeout(this.#retry);
    this.#carrying = this.#carryAll(broker)
      .then(() => this.#options.protection.end('fleet.verdicts', '', 'decisions arrive again'))
      .then(
        () => this.#onCarried(),
        (error: unknown) => this.#onTrouble(error),
      );
  }

  #onCarried(): void {
    this.#carrying = undefined;
    // More may have come at the last moment.
    this.#carry();
  }

  async #carryAll(broker: Broker): Promise<void> {
    let stream: Stream | undefined;
    for (;;) {
      const of = this.#spool.oldest;
      if (of === undefined || this.#broker === undefined) return;
      const octets = await this.#spool.read(of);
      if (octets === undefined) continue;
      stream ??= await verdictStream(broker, this.#options.fleet);
      await this.#carryOne(stream, of, octets);
    }
  }

  async #carryOne(stream: Stream, of: Spooled, octets: Uint8Array): Promise<void> {
    try {
      await stream.publish(octets, batchId({ gateway: this.#options.gateway, ...of }));
    } catch (error) {
      if (!(error instanceof BrokerError) || error.fault !== 'too-large') throw error;
      return this.#spool.lose(of);
    }
    this.#shared += of.records;
    await this.#spool.remove(of);
  }

  #onTrouble(error: unknown): void {
    this.#carrying = undefined;
    // The connection is closed: the rest is for the next process.
    if (this.#broker === undefined) return;
    const isLost = error instanceof BrokerError && error.fault === 'unreachable';
    // That no server can be reached is told of by the connection.
    if (!isLost) this.#options.protection.begin('fleet.verdicts', '', (error as Error).message);
    this.#retry = setTimeout(() => this.#carry(), RETRY_MS).unref();
  }

  #onLost(records: number): void {
    this.#lost += records;
    const detail = `${this.#lost} decisions never got to the fleet`;
    this.#options.protection.notice('fleet.verdicts', 'lost', detail, SPELL_MS);
  }
}

const RECORDS = 256;
const OCTETS = 512 * 1024;
const GATHERING_MS = 250;
const BATCHES_TO_SPOOL = 16;
const RETRY_MS = 1_000;
