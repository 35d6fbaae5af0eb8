/** Verdicts over time, let pass beside denied, and how long decisions take. The tables beside them say the sums. */
import uPlot from 'uplot';

import type { Series } from '../../src/web/api.ts';
import { element } from '../dom.ts';
import { sumsOf } from '../sums.ts';
import { clock, dayAndClock } from '../times.ts';

export class Plots {
  readonly root = element('div', { class: 'plots' });
  readonly #verdicts = element('div', { role: 'img', 'aria-label': 'Verdicts a minute' });
  readonly #times = element('div', { role: 'img', 'aria-label': 'How long decisions take' });
  readonly #holds = element('div', { role: 'img', 'aria-label': 'For how long packets wait' });
  readonly #probes = element('div', { role: 'img', 'aria-label': 'Probes a minute' });
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  readonly #draw = (): void => this.#redraw();
  #plots: uPlot[] = [];
  #series: Series | null = null;

  constructor() {
    this.root.append(this.#verdicts, this.#times, this.#holds, this.#probes);
    this.#scheme.addEventListener('change', this.#draw);
    window.addEventListener('resize', this.#draw);
  }

  show(series: Series): void {
    this.#series = series;
    this.#redraw();
  }

  close(): void {
    this.#scheme.removeEventListener('change', this.#draw);
    window.removeEventListener('resize', this.#draw);
    for (const plot of this.#plots) plot.destroy();
  }

  #redraw(): void {
    for (const plot of this.#plots) plot.destroy();
    this.#plots = [];
    const series = this.#series;
    if (series === null) return;
    const { passed, denied, total } = sumsOf(series);
    this.#verdicts.setAttribute(
      'aria-label',
      `Verdicts a minute: ${total.passed} let pass and ${total.denied} denied in all`,
    );
    const milliseconds = (values: readonly (number | null)[]) =>
      values.map((value) => (value === null ? null : value / 1_000));
    this.#plot(this.#verdicts, [
      ['let pass, a minute', '--good', passed],
      ['denied, a minute', '--bad', denied],
    ]);
    this.#plot(this.#times, [
      ['decision, half of them, ms', '--accent', milliseconds(series.took_us.p50)],
      ['decision, 95 of 100, ms', '--warn', milliseconds(series.took_us.p95)],
    ]);
    this.#plot(this.#holds, [
      ['packets wait, half of them, ms', '--accent', milliseconds(series.held_us.p50)],
      ['packets wait, 95 of 100, ms', '--warn', milliseconds(series.held_us.p95)],
    ]);
    const { asked, failed, p95_ms: slow } = series.probes;
    this.#plot(this.#probes, [
      ['probes, a minute', '--good', asked],
      ['of them without an answer', '--bad', failed],
      ['95 of 100 took, ms', '--warn', slow],
    ]);
  }

  #plot(place: HTMLElement, lines: readonly (readonly [string, string, readonly (number | null)[]])[]): void {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line') },
    };
    const width = Math.max(280, place.clientWidth);
    const plot = new uPlot(
      {
        ...{ width, height: HEIGHT, cursor: { y: false } },
        axes: [
          { ...axis, space: 70, values: (_, at) => at.map((second) => clock(second * 1_000).slice(0, 5)) },
          { ...axis, size: 56 },
        ],
        scales: { x: { range: () => this.#range }, y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
        series: [
          { label: 'At', value: (_, at) => (at === null ? '–' : dayAndClock(at * 1_000, Date.now())) },
          ...lines.map(([label, name]) => ({ label, stroke: colour(name), width: 2, points: { show: this.#isShort } })),
        ],
      },
      [[...this.#series!.at], ...lines.map(([, , values]) => [...values])],
      place,
    );
    this.#plots.push(plot);
  }

  /** The first minutes of a console are not drawn as wide as a day. */
  get #range(): [number, number] {
    const { at } = this.#series!;
    const end = at.at(-1) ?? Date.now() / 1_000;
    return [Math.min(at[0] ?? end, end - HOUR), end];
  }

  /** A line of one minute has no length. */
  get #isShort(): boolean {
    return (this.#series?.at.length ?? 0) < 3;
  }
}

const HEIGHT = 200;
/** Seconds. */
const HOUR = 3_600;
