/** The first page: which certificates have changed, and what is to become of them. */
import type { Context, Page } from '../context.ts';
import { append, element, prose } from '../dom.ts';
import { sentence, todayOf } from '../sentences.ts';
import { EntryCard } from './entry-card.ts';

export function inboxPage(context: Context): Page {
  const { known, server } = context;
  const today = element('p', { class: 'today', role: 'status' });
  const conditions = element('div', { class: 'conditions' });
  const list = element('div', { class: 'entries' });
  const cards = new Map<string, EntryCard>();
  const whyNot = server.session?.why_not ?? null;
  const root = element('section', {}, element('h1', {}, 'Inbox'), today, conditions);
  append(root, [whyNot === null ? null : element('p', { class: 'note' }, sentence(whyNot)), list]);

  const update = (): void => {
    const entries = known.sorted;
    const sentence = todayOf(entries, Date.now());
    if (today.textContent !== sentence) today.textContent = sentence;
    conditions.replaceChildren(...conditionsOf(context));
    for (const id of cards.keys()) if (!known.entries.has(id)) cards.delete(id);
    for (const entry of entries) {
      const card = cards.get(entry.id);
      if (card === undefined) cards.set(entry.id, new EntryCard(context, entry));
      else card.show(entry);
    }
    place(list, entries.length === 0 ? [EMPTY()] : entries.map(({ id }) => cards.get(id)!.root));
  };
  update();
  return { title: 'Inbox', root, update };
}

/** Nodes that are where they belong are not touched: moving one takes the focus out of it. */
function place(parent: HTMLElement, wanted: readonly HTMLElement[]): void {
  for (const child of [...parent.children]) if (!wanted.includes(child as HTMLElement)) child.remove();
  wanted.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

function conditionsOf({ known }: Context): HTMLElement[] {
  return (known.health?.conditions ?? []).map(({ severity, detail, mend }) =>
    element(
      'p',
      { class: 'condition', 'data-level': severity === 'unprotected' ? 'bad' : 'warn' },
      element('strong', {}, prose(`${sentence(detail)} `)),
      prose(sentence(mend)),
    ),
  );
}

const EMPTY = (): HTMLElement =>
  element(
    'div',
    { class: 'empty' },
    element('h2', {}, 'No certificate has changed'),
    element(
      'p',
      {},
      'When a server shows a key that no pin allows, it appears here, with what is different about it. Until then there is nothing to do. ',
    ),
    element('p', {}, element('a', { href: '/live' }, 'Watch connections as they are decided'), '.'),
  );
