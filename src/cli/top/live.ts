/**
 * The view while somebody looks at it: a round each interval, drawn in place, and what keys do. Knows neither sockets nor
 * escape sequences.
 */
import { type Line, line, type Paint, painted, span } from './layout.ts';
import type { FlowChoice } from './poller.ts';
import type { Round } from './round.ts';
import type { Screen, ScreenEvents } from './screen.ts';
import { firstFlow } from './tables.ts';
import { flowsShown, viewLines } from './view.ts';

export interface LiveOptions {
  /** The first one. */
  readonly round: Round;
  /** Rejects with a sentence where it cannot be had. */
  readonly ask: (choice: FlowChoice, limit: number) => Promise<Round>;
  readonly openScreen: (events: ScreenEvents) => Screen;
  readonly paint: Paint;
  /** Lines that explain a flow; rejects with a sentence where it cannot be had. */
  readonly explain: (flow: string) => Promise<readonly string[]>;
  /** Milliseconds between rounds. */
  readonly interval: number;
  readonly choice: FlowChoice;
}

/** Resolves when somebody wants it to end: to the signal, or to undefined for a key. The terminal is as it was. */
export function watchLive(options: LiveOptions): Promise<NodeJS.Signals | undefined> {
  return new LiveView(options).run();
}

class LiveView implements ScreenEvents {
  readonly #options: LiveOptions;
  readonly #screen: Screen;
  #now: Round;
  #before: Round | undefined;
  #error: string | undefined;
  #choice: FlowChoice;
  #scroll = 0;
  #isPaused = false;
  #isHelping = false;
  /** What explains a flow, instead of the view. */
  #explained: { readonly lines: readonly string[]; scroll: number } | undefined;
  /** A name while it is being typed. */
  #typed: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  /** What is asked for has changed since it was asked for. */
  #isStale = false;
  #isOver = false;
  #end!: (signal: NodeJS.Signals | undefined) => void;
  #fail!: (error: unknown) => void;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#now = options.round;
    this.#choice = options.choice;
    this.#screen = options.openScreen(this);
  }

  async run(): Promise<NodeJS.Signals | undefined> {
    const ended = new Promise<NodeJS.Signals | undefined>((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    try {
      this.#screen.enter();
      this.#schedule();
      return await ended;
    } finally {
      this.#isOver = true;
      clearTimeout(this.#timer);
      this.#screen.leave();
    }
  }

  onRedraw(): void {
    const { paint } = this.#options;
    const { size } = this.#screen;
    if (this.#explained !== undefined) return this.#drawExplained(this.#explained);
    const view = {
      now: this.#now,
      before: this.#before,
      error: this.#error,
      clock: Date.now(),
      scroll: this.#scroll,
      filter: choiceText(this.#choice),
      footer: this.#footer(),
      isPaused: this.#isPaused,
    };
    this.#screen.draw(viewLines(view, size).map((each) => painted(each, size.columns, paint)));
  }

  onSignal(signal: NodeJS.Signals): void {
    this.#end(signal);
  }

  onKey(name: string, text: string): void {
    if (this.#explained !== undefined) this.#read(name, this.#explained);
    else if (this.#typed === undefined) this.#command(name);
    else this.#type(name, text);
    this.onRedraw();
  }

  #command(key: string): void {
    const page = Math.max(1, Math.floor(this.#screen.size.rows / 3));
    this.#isHelping = (key === 'h' || key === '?') && !this.#isHelping;
    switch (key) {
      case 'q':
        return this.#end(undefined);
      case 'p':
      case 'space':
        return this.#pause();
      case '/':
        this.#typed = '';
        return;
      case 'escape':
        return this.#choose({ ...this.#choice, name: this.#options.choice.name });
      case 'up':
      case 'k':
        return this.#scrollTo(this.#scroll - 1);
      case 'down':
      case 'j':
        return this.#scrollTo(this.#scroll + 1);
      case 'pageup':
        return this.#scrollTo(this.#scroll - page);
      case 'pagedown':
        return this.#scrollTo(this.#scroll + page);
      case 'home':
        return this.#scrollTo(0);
      case 'return':
      case 'enter':
        return void this.#explain();
    }
  }

  /** The flow that is the first on the screen. */
  async #explain(): Promise<void> {
    const flow = firstFlow(this.#now, this.#scroll);
    if (flow === undefined) return;
    const lines = await this.#options.explain(String(flow)).catch((error: unknown) => [(error as Error).message]);
    if (this.#isOver) return;
    this.#explained = { lines, scroll: 0 };
    this.onRedraw();
  }

  /** Keys while a flow is explained: whatever does not scroll leads back. */
  #read(key: string, explained: { readonly lines: readonly string[]; scroll: number }): void {
    const { rows } = this.#screen.size;
    const last = Math.max(0, explained.lines.length - (rows - 1));
    const step = { up: -1, k: -1, down: 1, j: 1, pageup: 1 - rows, pagedown: rows - 1, home: -Infinity, end: Infinity }[
      key
    ];
    if (step === undefined) this.#explained = undefined;
    else explained.scroll = Math.max(0, Math.min(last, explained.scroll + step));
  }

  #drawExplained({ lines, scroll }: { readonly lines: readonly string[]; readonly scroll: number }): void {
    const { columns, rows } = this.#screen.size;
    const shown = lines.slice(scroll, scroll + rows - 1).map((each) => line(each));
    const filling = Array.from({ length: rows - 1 - shown.length }, () => line());
    const all = [...shown, ...filling, line(span(EXPLAINED, 'faint'))];
    this.#screen.draw(all.map((each) => painted(each, columns, this.#options.paint)));
  }

  /** The name of a server, until it is ended or given up. */
  #type(key: string, text: string): void {
    const typed = this.#typed ?? '';
    if (key === 'return' || key === 'enter') this.#choose({ ...this.#choice, name: typed === '' ? undefined : typed });
    if (key === 'return' || key === 'enter' || key === 'escape') this.#typed = undefined;
    else if (key === 'backspace') this.#typed = typed.slice(0, -1);
    else if (/^[\x21-\x7e]$/.test(text) && typed.length < LONGEST_NAME) this.#typed = typed + text;
  }

  #choose(choice: FlowChoice): void {
    this.#choice = choice;
    this.#scroll = 0;
    this.#isStale = true;
    this.#schedule(0);
  }

  #pause(): void {
    this.#isPaused = !this.#isPaused;
    if (!this.#isPaused) this.#schedule(0);
  }

  /** Over what is there; the next round brings more. */
  #scrollTo(row: number): void {
    this.#scroll = Math.max(0, Math.min(row, this.#now.flows.length + this.#now.verdicts.length - 1));
  }

  #schedule(millis = this.#options.interval): void {
    if (this.#isAsking || this.#isOver) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#refresh().catch(this.#fail), millis);
  }

  async #refresh(): Promise<void> {
    if (this.#isPaused) return;
    const began = performance.now();
    this.#isAsking = true;
    this.#isStale = false;
    try {
      const round = await this.#options.ask(this.#choice, this.#scroll + 2 * flowsShown(this.#screen.size));
      // One that a key has asked for at once is too near to the last for rates.
      if (round.at - this.#now.at >= this.#options.interval / 2) this.#before = this.#now;
      this.#now = round;
      this.#error = undefined;
    } catch (error) {
      this.#error = (error as Error).message;
    }
    this.#isAsking = false;
    this.onRedraw();
    const next = this.#isStale ? 0 : began + this.#options.interval - performance.now();
    this.#schedule(Math.max(0, next));
  }

  #footer(): Line {
    if (this.#typed !== undefined) {
      return line(span('server name, or *.NAME: ', 'note'), this.#typed, span('_', 'note'));
    }
    const flow = firstFlow(this.#now, this.#scroll);
    const enter = flow === undefined ? '' : `Enter explains ${flow}   `;
    return line(span(this.#isHelping ? HELP : `${KEYS}${enter}h help`, 'faint'));
  }
}

export function choiceText(choice: FlowChoice): string {
  return Object.entries(choice)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value as string | number}`)
    .join(', ');
}

const KEYS = 'q quit   p pause   / name   ↑ ↓ scroll   ';
const EXPLAINED = '↑ ↓ PgUp PgDn scroll   Esc back';
const HELP = 'q quit   p pause   / a name   Esc all names   ↑ ↓ PgUp PgDn Home scroll   ^Z stop';
const LONGEST_NAME = 253;
