/**
 * The one question that a server may be asked in a client's place, and its answer, which stays whatever becomes of the
 * configuration. Knows when it was asked; what the answer is worth is for others.
 */
import type { JudgeContext } from '../context.ts';
import type { Milestones } from '../milestones.ts';
import type { ProbeAnswer, ProbeRequest } from '../ports.ts';

export class ProbeQuestion {
  readonly #context: JudgeContext;
  readonly #milestones: Milestones;
  readonly #onNews: () => void;
  #request: Omit<ProbeRequest, 'client' | 'server'> | undefined;
  #answer: 'asked' | ProbeAnswer | undefined;
  #isConnected = false;

  /** `onNews` is told, once `ask` has returned, that the server has a connection for the question, and of the answer. */
  constructor(context: JudgeContext, milestones: Milestones, onNews: () => void) {
    this.#context = context;
    this.#milestones = milestones;
    this.#onNews = onNews;
  }

  /** It was asked, and the server has no connection for it yet. */
  get isPending(): boolean {
    return this.#answer === 'asked' && !this.#isConnected;
  }

  /** Undefined where nobody was asked, or could be. */
  get answer(): 'asked' | ProbeAnswer | undefined {
    return this.#answer;
  }

  /** Microseconds that waiting for the answer may take longer than it may elsewhere. */
  get patience(): number {
    return (this.#request?.patience ?? 0) * 1000;
  }

  put(request: Omit<ProbeRequest, 'client' | 'server'>): void {
    this.#request ??= request;
  }

  /** Asks the server, once. */
  ask(): void {
    const { prober } = this.#context;
    if (this.#answer !== undefined || this.#request === undefined || prober === undefined) return;
    this.#answer = 'asked';
    this.#milestones.note('probe-asked', this.#context.now());
    let inTime = true;
    const tell = () => {
      if (!inTime) this.#onNews();
    };
    const onAnswer = (answer: ProbeAnswer) => {
      this.#answer = answer;
      this.#milestones.note('probe-answered', this.#context.now());
      tell();
    };
    const onConnected = () => {
      this.#isConnected = true;
      tell();
    };
    prober.probe(this.#whole(this.#request), onAnswer, onConnected);
    inTime = false;
  }

  /** Field by field: V8 spreads a second object into a literal by its runtime, a microsecond a field. */
  #whole(request: Omit<ProbeRequest, 'client' | 'server'>): ProbeRequest {
    const { subject, synTraits } = this.#context;
    return {
      client: subject.client,
      server: subject.server,
      synTraits,
      clientHello: request.clientHello,
      pattern: request.pattern,
      recordVersion: request.recordVersion,
      starttls: request.starttls,
      tunnels: request.tunnels,
      patience: request.patience,
    };
  }
}
