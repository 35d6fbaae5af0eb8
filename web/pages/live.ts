/** Verdicts as they fall. Painted once a frame at the most, as many rows as one can look through, each as high as the next. */
import type { Verdict, Verdicts } from '../../src/web/api.ts';
import { Waiting } from '../bounded.ts';
import type { Context, Page } from '../context.ts';
import { button, element } from '../dom.ts';
import { type Filter, fromQuery, matches, toQuery } from '../filter.ts';
import { counted } from '../sentences.ts';
import { FilterForm } from './filter-form.ts';
import { verdictRow } from './verdict-row.ts';

export function livePage(context: Context): Page {
  return new LivePage(context);
}

class LivePage implements Page {
  readonly title = 'Live';
  readonly root: HTMLElement;
  readonly #context: Context;
  readonly #waiting = new Waiting<Verdict>(ROWS);
  readonly #rows = element('tbody', { role: 'rowgroup' });
  readonly #note = element('p', { class: 'note' });
  readonly #pause = button('Pause', () => this.#toggle(), { 'aria-pressed': 'false' });
  readonly #form: FilterForm;
  #filter: Filter = fromQuery(new URLSearchParams(location.search));
  #isPaused = false;
  #frame = 0;
  /** The highest that is known: an answer and events may overlap. */
  #last = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#form = new FilterForm(this.#filter, context.known, (filter) => this.#refilter(filter));
    const head = HEAD.map(([name, kind]) => element('th', { scope: 'col', role: 'columnheader', class: kind }, name));
    const rows = element(
      'table',
      { class: 'verdicts', role: 'table', 'aria-label': 'Verdicts' },
      element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...head)),
      this.#rows,
    );
    const list = element(
      'div',
      { class: 'scrolls', role: 'region', 'aria-label': 'Verdicts, the latest first', tabindex: 0 },
      rows,
    );
    this.root = element(
      'section',
      {},
      element('h1', {}, 'Live'),
      this.#form.root,
      element('div', { class: 'bar' }, this.#pause, this.#note),
      list,
    );
    void this.#load();
  }

  onVerdicts(verdicts: readonly Verdict[]): void {
    this.#waiting.push(verdicts.filter((verdict) => matches(this.#filter, verdict)));
    if (!this.#isPaused) this.#paintSoon();
    else this.#say();
  }

  update(): void {
    this.#form.update();
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
  }

  #refilter(filter: Filter): void {
    this.#filter = filter;
    const query = toQuery(filter).toString();
    history.replaceState(null, '', query === '' ? '/live' : `/live?${query}`);
    void this.#load();
  }

  async #load(): Promise<void> {
    const asked = this.#filter;
    const query = toQuery(asked);
    query.set('limit', String(ROWS));
    try {
      const { verdicts } = await this.#context.server.get<Verdicts>(`/api/verdicts?${query}`);
      if (asked !== this.#filter) return;
      this.#waiting.take();
      this.#last = verdicts[0]?.number ?? 0;
      this.#rows.replaceChildren(...verdicts.map(verdictRow));
      this.#say();
    } catch (error) {
      this.#note.textContent = `${(error as Error).message}.`;
    }
  }

  #paintSoon(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    this.#frame = 0;
    const fresh = this.#waiting.take().filter(({ number }) => number > this.#last);
    if (fresh.length > 0) {
      this.#last = fresh.at(-1)!.number;
      this.#rows.prepend(...fresh.map(verdictRow).reverse());
      while (this.#rows.rows.length > ROWS) this.#rows.rows[ROWS]!.remove();
    }
    this.#say();
  }

  #toggle(): void {
    this.#isPaused = !this.#isPaused;
    this.#pause.setAttribute('aria-pressed', String(this.#isPaused));
    this.#pause.textContent = this.#isPaused ? 'Go on' : 'Pause';
    if (this.#isPaused) this.#say();
    else this.#paintSoon();
  }

  #say(): void {
    const { length } = this.#rows.rows;
    if (this.#isPaused) this.#note.textContent = `Held still; ${counted(this.#waiting.count, 'more', 'more')} since.`;
    else if (length > 0)
      this.#note.textContent = length < ROWS ? counted(length, 'verdict', 'verdicts') : `The latest ${ROWS} verdicts`;
    else this.#note.textContent = toQuery(this.#filter).size === 0 ? NOTHING : NOTHING_SUCH;
  }
}

const HEAD = [
  ['Time', 'time'],
  ['Server', 'server'],
  ['Client', 'client'],
  ['Decision', 'decision'],
  ['Pinset', 'pinset'],
  ['Waited', 'waited'],
] as const;
const NOTHING =
  'No connection has been decided since the console listens. Open one through this gateway: it appears here.';
const NOTHING_SUCH = 'No connection that is remembered is like that. Take a word out of the filter, or wait.';
const ROWS = 200;
