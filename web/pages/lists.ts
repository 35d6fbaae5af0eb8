/** Lists and what is in them, asked for when one is opened; and the lists that are open stay so. */
import type { EngineStatus, ListEntries } from '../../src/web/api.ts';
import { badge, button, code, element } from '../dom.ts';
import { counted, sentence } from '../sentences.ts';
import type { Server } from '../server.ts';

type List = EngineStatus['configuration']['lists'][number];

export class Lists {
  readonly root = element('div', {});
  readonly #server: Server;
  #shown = '';

  constructor(server: Server) {
    this.#server = server;
  }

  /** Only where something is another: whoever reads in one goes on. */
  show(lists: readonly List[]): void {
    const text = JSON.stringify(lists);
    if (text === this.#shown) return;
    this.#shown = text;
    const open = [...this.root.querySelectorAll('details[open]')].map((each) => (each as HTMLElement).dataset['list']);
    this.root.replaceChildren(...(lists.length === 0 ? [NONE()] : lists.map((list) => this.#list(list, open))));
  }

  #list({ list, entries, stale, writable }: List, open: readonly (string | undefined)[]): HTMLElement {
    const state = stale ? badge('too old', 'warn') : badge(writable ? 'takes accepted keys' : 'read', 'note');
    const summary = element(
      'summary',
      {},
      element('strong', {}, list),
      ` ${counted(entries, 'entry', 'entries')} `,
      state,
    );
    const items = element('ol', { class: 'list-entries' });
    const more = element('div', {});
    const details = element('details', { class: 'pinset', 'data-list': list }, summary, items, more);
    let isAsked = false;
    details.addEventListener('toggle', () => {
      if (!details.open || isAsked) return;
      isAsked = true;
      void this.#load(list, 0, items, more);
    });
    details.open = open.includes(list);
    return details;
  }

  async #load(list: string, after: number, items: HTMLElement, more: HTMLElement): Promise<void> {
    try {
      const query = new URLSearchParams({ list, after: String(after) });
      const { entries, total, next } = await this.#server.get<ListEntries>(`/api/list?${query}`);
      items.append(...entries.map((entry) => element('li', {}, code(entry))));
      if (total === 0) more.replaceChildren(element('p', { class: 'note' }, 'It has no entry.'));
      else more.replaceChildren(...(next === null ? [] : [this.#moreButton(list, next, total, items, more)]));
    } catch (error) {
      more.replaceChildren(element('p', { class: 'failure' }, sentence((error as Error).message)));
    }
  }

  #moreButton(list: string, next: number, total: number, items: HTMLElement, more: HTMLElement): HTMLElement {
    return button(`Show more: ${next} of ${total} are shown`, () => void this.#load(list, next, items, more));
  }
}

const NONE = (): HTMLElement =>
  element(
    'p',
    { class: 'empty' },
    'The configuration has no list. A writable one takes the keys that are accepted here.',
  );
