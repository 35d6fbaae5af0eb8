/**
 * A terminal that a view has for itself while it runs: the alternate screen, keys one by one, resizes; and all of it
 * given back, however the process ends or is stopped. Knows escape sequences and signals, and nothing of what is shown.
 *
 *   enter ─▶ shown ──leave──▶ left
 *             │ ▲
 *     SIGTSTP │ │ SIGCONT, with everything set and drawn anew
 *             ▼ │
 *            given back
 *
 * Sequences: xterm's "Control Sequences" (DECSET 1049, 7 and 25), ECMA-48 §8.3.41 and §8.3.21 (EL, CUP).
 */
import { emitKeypressEvents, type Key } from 'node:readline';

import type { Size } from './view.ts';

export interface ScreenEvents {
  /** A name where there is one, such as `up`, and the character otherwise. */
  onKey(name: string, text: string): void;
  /** Its size is another, or what was on it is gone. */
  onRedraw(): void;
  /** Somebody wants the process to end. */
  onSignal(signal: NodeJS.Signals): void;
}

export class Screen {
  readonly #input: NodeJS.ReadStream;
  readonly #output: NodeJS.WriteStream;
  readonly #events: ScreenEvents;
  #isShown = false;

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream, events: ScreenEvents) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
  }

  get size(): Size {
    // A terminal that does not know its size says 0.
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 };
  }

  get hasKeys(): boolean {
    return this.#input.isTTY;
  }

  enter(): void {
    for (const [signal, listener] of this.#signals) process.on(signal, listener);
    // The stack of what nobody has caught is for the screen that stays.
    process.on('exit', this.#giveBack).on('uncaughtExceptionMonitor', this.#giveBack);
    this.#output.on('resize', this.#onResize);
    if (this.hasKeys) {
      emitKeypressEvents(this.#input);
      this.#input.on('keypress', this.#onKeypress).on('end', this.#onHangUp).on('error', this.#onHangUp);
    }
    this.#take();
  }

  /** Once; also what was listened for is let go, so that signals do what they do by themselves. */
  leave(): void {
    this.#giveBack();
    for (const [signal, listener] of this.#signals) process.off(signal, listener);
    process.off('exit', this.#giveBack).off('uncaughtExceptionMonitor', this.#giveBack);
    this.#output.off('resize', this.#onResize);
    this.#input.off('keypress', this.#onKeypress).off('end', this.#onHangUp);
    this.#input.pause();
  }

  /** Lines without escape sequences but those of colours, none longer than the screen is wide. */
  draw(lines: readonly string[]): void {
    if (!this.#isShown) return;
    // Cleared before, not after: the cursor stays on the last column, whose character would go.
    const rows = lines.map((text) => `${CLEAR_LINE}${text}`);
    this.#output.write(`${BEGIN}${HOME}${rows.join('\r\n')}${END}`);
  }

  #take(): void {
    this.#isShown = true;
    this.#output.write(ENTER);
    this.#resume();
  }

  /** The mode is known to Node.js, which does not set again what it has set. */
  #resume(): void {
    if (this.hasKeys) this.#input.setRawMode(false).setRawMode(true).resume();
    this.#events.onRedraw();
  }

  readonly #giveBack = (): void => {
    if (!this.#isShown) return;
    this.#isShown = false;
    if (this.hasKeys) this.#input.setRawMode(false);
    this.#output.write(LEAVE);
  };

  readonly #onResize = (): void => this.#events.onRedraw();

  readonly #onHangUp = (): void => this.#events.onSignal('SIGHUP');

  /** In the raw mode the terminal makes no signals of keys. */
  readonly #onKeypress = (text: string | undefined, { name, ctrl, sequence = '' }: Key): void => {
    if (ctrl === true && name === 'c') this.#events.onSignal('SIGINT');
    else if (ctrl === true && name === 'z') this.#suspend(0);
    else if (ctrl !== true) this.#events.onKey(name ?? text ?? sequence, text ?? '');
  };

  /** As a terminal does of the key, to all who are in the foreground (process 0), or the signal to one process. */
  #suspend(processId: number): void {
    this.#giveBack();
    process.off('SIGTSTP', this.#onStop);
    process.kill(processId, 'SIGTSTP');
    // It is continued here; at once where nobody could continue it, in which case the kernel stops nobody.
    setImmediate(() => {
      process.on('SIGTSTP', this.#onStop);
      this.#onContinue();
    });
  }

  readonly #onStop = (): void => this.#suspend(process.pid);

  /** Whoever had the terminal meanwhile has changed its modes, also where SIGSTOP left no time to give it back. */
  readonly #onContinue = (): void => (this.#isShown ? this.#resume() : this.#take());

  readonly #signals: readonly (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
    ...ENDING.map((signal) => [signal, () => this.#events.onSignal(signal)] as const),
    ['SIGTSTP', this.#onStop],
    ['SIGCONT', this.#onContinue],
  ];
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** The alternate screen, no cursor, and lines that do not wrap. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
/** Shown when it is whole, by terminals that know this; others let it be ("Synchronized Output", DECSET 2026). */
const BEGIN = '\x1b[?2026h';
const END = '\x1b[?2026l';
