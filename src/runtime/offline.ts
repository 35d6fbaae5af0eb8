/**
 * Captures through the engine that packets go through: one source and one engine a capture, on the capture's clock, so
 * that the same file always gives the same records. Everything before a capture's damage counts; the damage is told.
 */
import { Engine } from '../engine/engine.ts';
import type { LoggedEvent } from '../judge/events.ts';
import { LIMIT_DEFAULTS } from '../pins/limits.ts';
import type { Policy } from '../pins/policy.ts';
import { CaptureSecrets, readSecretsBlocks, type Secrets } from '../source/capture/secrets.ts';
import type { Share } from '../source/capture/share.ts';
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
  /** `stage` says when: it never falls, and what is told at one stage is told in the order in which the flows began. */
  readonly onEvent: (event: LoggedEvent, stage: number) => void;
  readonly onUnread?: ((unread: Unread) => void) | undefined;
  /** Everything was told of stages ahead of `stage`. */
  readonly onChunkEnd?: ((stage: number) => void) | undefined;
  /** The part of the capture that is looked into, where another reads the rest. */
  readonly share?: Share | undefined;
  /** Octets of the file that were read so far. */
  readonly onProgress?: ((octets: number) => void) | undefined;
}

/**
 * Inspects one capture. Rejects where it cannot be read further, after the events of everything before; `onUnread` is
 * told in any case, last.
 */
export async function inspectCapture(options: CaptureOptions): Promise<void> {
  const keylog = new CaptureSecrets(options.secrets);
  const stages = new Stages(options.onEvent);
  const source = new CaptureSource({
    ...options,
    keyLog: keylog.reader(),
    onFrame: (micros) => stages.onFrame(micros, engine),
    onChunkEnd: () => options.onChunkEnd?.(stages.current),
  });
  const engine = new Engine({
    policy: offlinePolicy(options.policy),
    verdicts: source,
    events: { emit: (event) => (event.kind === 'verdict' || event.kind === 'anomaly') && stages.add(event) },
    clock: source.clock,
    examiner: { examine: (request, done) => done(examineChain(request)) },
    proves: verifyServerKeyExchange,
    keylog,
    live: false,
  });
  await readSecretsBlocks(options.path, keylog);
  try {
    await source.start(engine);
  } finally {
    stages.end(engine);
    options.onUnread?.({ ...source.framesRead, refused: engine.counters.refused, time: source.clock.now() });
  }
}

/**
 * When something is told: at a frame, or ahead of it, where the engine is to see to what is due, each second of the
 * capture. Both depend on the capture's frames alone and on no flow but the one in question.
 */
class Stages {
  readonly #tell: CaptureOptions['onEvent'];
  #events: LoggedEvent[] = [];
  #frame = 0;
  #nextTick = 0;

  constructor(tell: CaptureOptions['onEvent']) {
    this.#tell = tell;
  }

  /** Of what is told now. */
  get current(): number {
    return 2 * this.#frame + 1;
  }

  add(event: LoggedEvent): void {
    this.#events.push(event);
  }

  onFrame(micros: number, engine: Engine): void {
    if (this.#events.length > 0) this.#close(this.current);
    this.#frame++;
    if (micros < this.#nextTick) return;
    this.#nextTick = micros + 1_000_000;
    engine.tick();
    this.#close(2 * this.#frame);
  }

  end(engine: Engine): void {
    this.#close(this.current);
    engine.finish();
    this.#close(END);
  }

  #close(stage: number): void {
    const events = this.#events;
    this.#events = [];
    if (events.length > 1) events.sort((a, b) => frameOf(a) - frameOf(b));
    for (const event of events) this.#tell(event, stage);
  }
}

/** In which the flow began; 0 of what is no flow's. */
export function frameOf(event: LoggedEvent): number {
  return event.kind === 'verdict' ? event.frame : 0;
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

/** The stage behind all others. */
const END = Number.MAX_SAFE_INTEGER;
const OFFLINE_HANDSHAKE_BYTES = 2 * LIMIT_DEFAULTS.handshakeBytes;
