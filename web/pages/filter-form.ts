/** What is asked for of the verdicts. Changes as it is typed. */
import { element } from '../dom.ts';
import type { Filter } from '../filter.ts';
import type { Known } from '../known.ts';

export class FilterForm {
  readonly root = element('form', { class: 'filter', role: 'search', 'aria-label': 'Filter of verdicts' });
  readonly #known: Known;
  readonly #reasons = element('datalist', { id: 'reasons' });
  readonly #pinsets = element('datalist', { id: 'pinsets' });

  constructor(filter: Filter, known: Known, onChange: (filter: Filter) => void) {
    this.#known = known;
    const field = (name: string, label: string, more = {}) => {
      const input = element('input', { id: `filter-${name}`, name, spellcheck: 'false', autocomplete: 'off', ...more });
      input.value = String(filter[name as keyof Filter]);
      return element('div', {}, element('label', { for: input.id }, label), input);
    };
    const action = element(
      'select',
      { id: 'filter-action', name: 'action' },
      ...ACTIONS.map(([value, text]) => element('option', { value }, text)),
    );
    action.value = filter.action;
    const denied = element('input', { id: 'filter-denied', name: 'denied', type: 'checkbox', value: 'true' });
    denied.checked = filter.denied;
    this.root.append(
      field('who', 'Server or client', { placeholder: 'www.bank.example, *.example, 10.1.0.0/16' }),
      element('div', {}, element('label', { for: 'filter-action' }, 'Action'), action),
      field('reason', 'Reason', { list: 'reasons' }),
      field('pinset', 'Pinset', { list: 'pinsets' }),
      element('div', { class: 'check' }, denied, element('label', { for: 'filter-denied' }, 'only what is denied')),
      this.#reasons,
      this.#pinsets,
    );
    let timer = 0;
    const change = (): void => onChange(this.#read());
    this.root.addEventListener('input', () => {
      clearTimeout(timer);
      timer = window.setTimeout(change, TYPING_MS);
    });
    this.root.addEventListener('submit', (event) => event.preventDefault());
    this.update();
  }

  update(): void {
    const { verdicts = [], pinsets = [] } = this.#known.overview ?? {};
    offer(this.#reasons, new Set(verdicts.map(({ reason }) => reason)));
    offer(this.#pinsets, new Set(pinsets.map(({ pinset }) => pinset)));
  }

  #read(): Filter {
    const data = new FormData(this.root);
    const of = (name: string): string => String(data.get(name) ?? '').trim();
    return {
      who: of('who'),
      action: of('action'),
      reason: of('reason'),
      pinset: of('pinset'),
      denied: of('denied') === 'true',
    };
  }
}

function offer(list: HTMLDataListElement, values: ReadonlySet<string>): void {
  if (list.children.length !== values.size)
    list.replaceChildren(...[...values].map((value) => element('option', { value })));
}

const ACTIONS = [
  ['', 'any'],
  ['accept', 'accept'],
  ['drop', 'drop'],
  ['reset', 'reset'],
  ['tls-alert', 'tls-alert'],
  ['reject', 'reject'],
] as const;
const TYPING_MS = 200;
