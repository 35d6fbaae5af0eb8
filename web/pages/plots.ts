/** The last day, minute by minute: verdicts, how long decisions take and packets wait, probes. Tables beside them say the sums. */
import uPlot from 'uplot';

import type { Series } from '../../src/web/api.ts';
import { element } from '../dom.ts';
import { sumsOf } from '../sums.ts';
import { clock, dayAndClock } from '../times.ts';

type Values = readonly (number | null)[];

interface Chart {
  readonly title: string;
  /** What there is to see, for whoever does not see it. */
  readonly summary?: (series: Series) => string;
  /** Counts have no fractions. */
  readonly isCount: boolean;
  readonly lines: (series: Series) => readonly (readonly [label: string, colour: string, values: Values])[];
}

export class Plots {
  readonly root = element('div', { class: 'plots' });
  readonly #places: readonly HTMLElement[];
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  readonly #draw = (): void => this.#redraw();
  #plots: uPlot[] = [];
  #series: Series | null = null;

  constructor() {
    this.#places = CHARTS.map(({ title }) => element('div', { role: 'img', 'aria-label': title }));
    const figures = CHARTS.map(({ title }, i) =>
      element('figure', {}, element('figcaption', {}, title), this.#places[i]),
    );
    this.root.append(...figures);
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
    const series = this.#series;
    this.#plots = series === null ? [] : CHARTS.map((chart, i) => this.#plot(chart, this.#places[i]!, series));
  }

  #plot({ title, summary, isCount, lines }: Chart, place: HTMLElement, series: Series): uPlot {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line') },
    };
    const drawn = lines(series);
    place.setAttribute('aria-label', `${title}${summary === undefined ? '' : `: ${summary(series)}`}`);
    return new uPlot(
      {
        ...{ width: Math.max(280, place.clientWidth), height: HEIGHT, cursor: { y: false } },
        axes: [
          { ...axis, space: 70, values: (_, at) => at.map((second) => clock(second * 1_000).slice(0, 5)) },
          { ...axis, size: 56, ...(isCount ? { incrs: WHOLE } : {}) },
        ],
        scales: { x: { range: () => rangeOf(series) }, y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
        series: [
          { label: 'At', value: (_, at) => (at === null ? '–' : dayAndClock(at * 1_000, Date.now())) },
          ...drawn.map(([label, name]) => ({
            ...{ label, stroke: colour(name), width: 2, points: { show: series.at.length < 3 } },
            value: (_: uPlot, value: number | null) => (value === null ? '–' : String(Math.round(value * 10) / 10)),
          })),
        ],
      },
      [[...series.at], ...drawn.map(([, , values]) => [...values])],
      place,
    );
  }
}

/** The first minutes of a console are not drawn as wide as a day. */
function rangeOf({ at }: Series): [number, number] {
  const end = at.at(-1) ?? Date.now() / 1_000;
  return [Math.min(at[0] ?? end, end - HOUR), end];
}

function milliseconds(values: Values): Values {
  return values.map((value) => (value === null ? null : value / 1_000));
}

const CHARTS: readonly Chart[] = [
  {
    title: 'Verdicts a minute',
    summary: (series) => {
      const { passed, denied } = sumsOf(series).total;
      return `${passed} let pass and ${denied} denied in all`;
    },
    isCount: true,
    lines: (series) => {
      const { passed, denied } = sumsOf(series);
      return [
        ['let pass', '--good', passed],
        ['denied', '--bad', denied],
      ];
    },
  },
  {
    title: 'How long decisions took, in ms',
    isCount: false,
    lines: ({ took_us: took }) => [
      ['half of them at the most', '--accent', milliseconds(took.p50)],
      ['95 of 100', '--warn', milliseconds(took.p95)],
    ],
  },
  {
    title: 'How long packets waited, in ms',
    isCount: false,
    lines: ({ held_us: held }) => [
      ['half of them at the most', '--accent', milliseconds(held.p50)],
      ['95 of 100', '--warn', milliseconds(held.p95)],
    ],
  },
  {
    title: 'Probes a minute',
    isCount: true,
    lines: ({ probes }) => [
      ['asked for', '--good', probes.asked],
      ['without an answer', '--bad', probes.failed],
    ],
  },
  {
    title: 'How long probes took, in ms',
    isCount: false,
    lines: ({ probes }) => [
      ['half of them at the most', '--accent', probes.p50_ms],
      ['95 of 100', '--warn', probes.p95_ms],
    ],
  },
];
const HEIGHT = 200;
/** Seconds. */
const HOUR = 3_600;
/** Steps of an axis. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000];
