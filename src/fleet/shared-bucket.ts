/**
 * A bucket that the gateways of a fleet share, for as long as somebody follows it: joined whenever there is a connection,
 * made anew where servers have lost it, and joined again a while after anything in it has failed. Knows no words of it.
 */
import { type Broker, BrokerError, type Bucket, type Deleted, type Entry, type Subscription } from './port.ts';

export interface SharedBucketOptions {
  readonly broker: Broker;
  readonly name: string;
  /** Which are followed, as `Bucket.watch` has it. */
  readonly keys: string;
  readonly onEntry: (entry: Entry | Deleted) => void;
  /** Joined once more: servers may have lost what was put. */
  readonly onRejoined: (bucket: Bucket) => Promise<void>;
  /** What was there has been heard, or it was joined once more: there may be something to put. */
  readonly onReady: () => void;
  /** A sentence. */
  readonly onTrouble: (why: string) => void;
}

export class SharedBucket {
  readonly #options: SharedBucketOptions;
  #bucket: Bucket | undefined;
  #watch: Subscription | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isCurrent = false;
  #isStopped = false;

  constructor(options: SharedBucketOptions) {
    this.#options = options;
  }

  /** Everything that was there at the beginning has been heard. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Undefined until it was joined. */
  get bucket(): Bucket | undefined {
    return this.#bucket;
  }

  start(): void {
    const { broker } = this.#options;
    broker.onConnection(({ isConnected }) => isConnected && void this.#join());
    if (broker.connection.isConnected) void this.#join();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    await this.#watch?.stop();
  }

  /** Something in it has failed. */
  againLater(error: unknown): void {
    if (this.#isStopped) return;
    const isLost = error instanceof BrokerError && error.fault === 'unreachable';
    // That no server can be reached is told of by the connection.
    if (!isLost) this.#options.onTrouble((error as Error).message);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#join(), RETRY_MS).unref();
  }

  async #join(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#isStopped) return;
    const { broker, name, onRejoined, onReady } = this.#options;
    try {
      this.#bucket = await broker.bucket(name, { history: 1 });
      await this.#follow(this.#bucket);
      if (this.#isCurrent) await onRejoined(this.#bucket);
      onReady();
    } catch (error) {
      this.againLater(error);
    }
  }

  async #follow(bucket: Bucket): Promise<void> {
    if (this.#watch !== undefined || this.#isStopped) return;
    const { keys, onEntry, onReady } = this.#options;
    this.#watch = await bucket.watch(keys, {
      onEntry: (entry) => {
        if (!this.#isStopped) onEntry(entry);
      },
      onCurrent: () => {
        this.#isCurrent = true;
        onReady();
      },
    });
    if (this.#isStopped) await this.#watch.stop();
  }
}

const RETRY_MS = 2_000;
