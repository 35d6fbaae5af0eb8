/**
 * Connections that are begun beside a client's, as if each were the client's: their SYNs, and later their hellos, take turns
 * with its own, in an order that is drawn. Whoever forges one of them has to guess which ("cut and choose"). All have to be
 * shown something, so that nobody is served by losing some. Knows no hello and no client's packet.
 *
 *   SYNs, the client's among them ──▶ all are answered, and asked ──▶ hellos, the client's among them ──▶ outcomes
 *            │                                 │                                   │
 *            └── one fails ────────────────────┴───────────────────────────────────┴──▶ that one's outcome alone
 *
 * The client's hello comes as long behind its SYN as it takes, and so have the others': where some began behind it all hellos
 * wait by as much. And its SYN leaves no sooner behind its turn than theirs, which have to be made.
 */
import type { Endpoint } from '../../judge/events.ts';
import type { ConnectionFailure, ConnectionOptions, Conversation, converse } from '../connection.ts';
import { Deadline } from '../deadline.ts';
import type { Origin } from '../origin.ts';
import type { Lag } from './lag.ts';
import { takeTurns } from './turns.ts';

export interface CompanyOptions extends Pick<ConnectionOptions<never>, 'mark'> {
  readonly server: Endpoint;
  readonly origin: Origin;
  readonly size: number;
  /** Milliseconds that they may take once they are asked. */
  readonly timeout: number;
  readonly converse: typeof converse;
  readonly lag: Lag;
  /** They were not asked, and are over. */
  readonly onUnasked: () => void;
  /** All of them were shown certificates. */
  readonly onShown: () => void;
}

export interface CompanyQuestion<Outcome> {
  /** One for each. */
  readonly conversation: () => Conversation<Outcome>;
  /** The client's own hello may go. */
  readonly clientsTurn: () => void;
  /** Of all of them, or of the first that was shown nothing. Called once. */
  readonly done: (outcomes: readonly (Outcome | ConnectionFailure)[]) => void;
}

export class Company<Outcome extends { readonly kind: string }> {
  readonly #options: CompanyOptions;
  readonly #members: Member<Outcome>[] = [];
  /** Milliseconds: when the client's SYN had its turn, and when the last of all did. */
  readonly #begun = { client: 0, last: 0 };
  /** When all may speak, if they can. */
  #speakAt = 0;
  #pause: NodeJS.Timeout | undefined;
  readonly #sendSynsNow: () => void;
  readonly #deadline: NodeJS.Timeout;
  readonly #outcomes: (Outcome | ConnectionFailure)[] = [];
  #question: CompanyQuestion<Outcome> | undefined;
  #late: Deadline | undefined;
  #isOver = false;

  /** `go`: the client's SYN may leave; called once, and maybe before this returns. */
  constructor(options: CompanyOptions, go: () => void) {
    this.#options = options;
    this.#deadline = setTimeout(() => this.end(), UNASKED_MS);
    this.#deadline.unref();
    const begin = () => {
      this.#begun.last = performance.now();
      options.lag.measure(() => this.#begin());
    };
    const beginClients = () => {
      this.#begun.client = this.#begun.last = performance.now();
      options.lag.wait(go);
    };
    this.#sendSynsNow = takeTurns([beginClients, ...Array.from({ length: options.size }, () => begin)]);
  }

  get size(): number {
    return this.#options.size;
  }

  ask(question: CompanyQuestion<Outcome>): void {
    clearTimeout(this.#deadline);
    this.#question = question;
    this.#speakAt = performance.now() + this.#begun.last - this.#begun.client;
    const failed = this.#outcomes[0];
    if (failed !== undefined) return this.#finish([failed]);
    this.#late = new Deadline(this.#options.timeout, () => this.#finish([LATE]));
    this.#beginToSpeak();
  }

  /** Whoever waits for outcomes has none then. */
  end(): void {
    if (this.#question !== undefined) return this.#finish([STOPPED]);
    this.#close();
    this.#options.onUnasked();
  }

  #begin(): void {
    if (this.#isOver) return;
    const { converse, server, origin, mark, timeout } = this.#options;
    const member: Member<Outcome> = { speak: undefined, conversation: undefined, giveUp: undefined };
    this.#members.push(member);
    member.giveUp = converse<Outcome>({
      ...{ server, origin, mark, timeout: UNASKED_MS + timeout },
      conversation: {
        start: () => member.conversation!.start(),
        feed: (bytes) => member.conversation!.feed(bytes),
        part: (bytes) => (member.conversation?.part === undefined ? [] : member.conversation.part(bytes)),
        get outcome() {
          return member.conversation?.outcome;
        },
      },
      turn: (speak) => {
        member.speak = speak;
        this.#beginToSpeak();
      },
      done: (outcome) => this.#onOutcome(outcome),
    });
  }

  #beginToSpeak(): void {
    const { size } = this.#options;
    const speaking = this.#members.flatMap(({ speak }) => speak ?? []);
    if (this.#question === undefined || this.#isOver || speaking.length < size) return;
    const left = Math.round(this.#speakAt - performance.now());
    if (left > 0) {
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.#beginToSpeak(), left);
      return;
    }
    const { clientsTurn, conversation } = this.#question;
    for (const member of this.#members) member.conversation = conversation();
    takeTurns([clientsTurn, ...speaking]);
  }

  #onOutcome(outcome: Outcome | ConnectionFailure): void {
    if (this.#isOver) return;
    this.#outcomes.push(outcome);
    if (this.#question === undefined) return;
    if (outcome.kind !== 'certificates') this.#finish([outcome]);
    else if (this.#outcomes.length === this.#options.size) {
      this.#options.onShown();
      this.#finish(this.#outcomes);
    }
  }

  #finish(outcomes: readonly (Outcome | ConnectionFailure)[]): void {
    if (this.#isOver) return;
    this.#close();
    this.#question!.done(outcomes);
  }

  #close(): void {
    this.#isOver = true;
    clearTimeout(this.#deadline);
    this.#late?.clear();
    clearTimeout(this.#pause);
    this.#sendSynsNow();
    for (const { giveUp } of this.#members) giveUp?.();
  }
}

interface Member<Outcome> {
  speak: (() => void) | undefined;
  conversation: Conversation<Outcome> | undefined;
  giveUp: (() => void) | undefined;
}

const LATE: ConnectionFailure = { kind: 'failed', reason: 'timeout', detail: 'decoys' };
const STOPPED: ConnectionFailure = { kind: 'failed', reason: 'stopped', detail: '' };
/** More than lies between a client's SYN and its hello. */
const UNASKED_MS = 1_000;
