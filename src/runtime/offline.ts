/**
 * Captures through the engine that packets go through: one source and one engine a capture, on the capture's clock, so
 * that the same file always gives the same records. Everything before a capture's damage counts; the damage is told.
 */
import { Engine } from '../engine/engine.ts';
import type { LoggedEvent } from '../judge/events.ts';
import type { PacketSink } from '../packet/source.ts';
import type { PacketBatch } from '../packet/batch.ts';
import { LIMIT_DEFAULTS } from '../pins/limits.ts';
import type { Policy } from '../pins/policy.ts';
import { CaptureSecrets, readSecretsBlocks, type Secrets } from '../source/capture/secrets.ts';
import { CaptureSource } from '../source/capture/source.ts';
import type { Unread } from '../report/unread.ts';
import { examineChain } from '../x509/examine.ts';
import { verifyServerKeyExchange } from '../x509/proof.ts';

export interface CaptureOptions {
  /** A file, or '-' for standard input. */
  readonly path: string;
  readonly policy: Policy;
  /** Have TCP checksums verified. */
  readonly checksums: boolean;
  /** Of key logs, beside those that the capture itself has. */
  readonly secrets?: Secrets | undefined;
  readonly onEvent: (event: LoggedEvent) => void;
  readonly onUnread?: ((unread: Unread) => void) | undefined;
  /** Octets of the file that were read so far. */
  readonly onProgress?: ((octets: number) => void) | undefined;
}

/**
 * Inspects one capture. Rejects where it cannot be read further, after the events of everything before; `onUnread` is
 * told in any case, last.
 */
export async function inspectCapture(options: CaptureOptions): Promise<void> {
  const keylog = new CaptureSecrets(options.secrets);
  const source = new CaptureSource({ ...options, keyLog: keylog.reader() });
  const engine = new Engine({
    policy: offlinePolicy(options.policy),
    verdicts: source,
    events: { emit: (event) => (event.kind === 'verdict' || event.kind === 'anomaly') && options.onEvent(event) },
    clock: source.clock,
    examiner: { examine: (request, done) => done(examineChain(request)) },
    proves: verifyServerKeyExchange,
    keylog,
    live: false,
  });
  await readSecretsBlocks(options.path, keylog);
  try {
    await source.start(new Ticking(engine, () => source.clock.now()));
  } finally {
    engine.finish();
    options.onUnread?.({ ...source.framesRead, refused: engine.counters.refused, time: source.clock.now() });
  }
}

/** Has the engine see to what is due each second of the capture. */
class Ticking implements PacketSink {
  readonly #engine: Engine;
  readonly #now: () => number;
  #next = 0;

  constructor(engine: Engine, now: () => number) {
    this.#engine = engine;
    this.#now = now;
  }

  onBatch(batch: PacketBatch): void {
    this.#engine.onBatch(batch);
    const now = this.#now();
    if (now < this.#next) return;
    this.#engine.tick();
    this.#next = now + 1_000_000;
  }
}

/** Nobody waits for a capture's packets, so larger handshakes may be looked at whole. */
function offlinePolicy(policy: Policy): Policy {
  const { handshakeBytes, bytesPerDirection } = policy.limits;
  const limits = {
    ...policy.limits,
    handshakeBytes: Math.max(handshakeBytes, OFFLINE_HANDSHAKE_BYTES),
    bytesPerDirection: Math.max(bytesPerDirection, 2 * OFFLINE_HANDSHAKE_BYTES),
  };
  return { ...policy, limits };
}

const OFFLINE_HANDSHAKE_BYTES = 2 * LIMIT_DEFAULTS.handshakeBytes;
