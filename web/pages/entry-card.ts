/** One certificate that has changed: what is different, beside what was there before, and the answers. */
import type { InboxEntry } from '../../src/web/api.ts';
import type { Context } from '../context.ts';
import { append, badge, code, element, prose, renew } from '../dom.ts';
import { refusedOf, sentence } from '../sentences.ts';
import { timeElement } from '../time-element.ts';
import { AnswerForm } from './answer-form.ts';
import { EvidenceForm } from './evidence.ts';

type Leaf = InboxEntry['chain'][number];

export class EntryCard {
  readonly root: HTMLElement;
  readonly #body = element('div');
  readonly #form: AnswerForm;
  #shown = '';

  constructor(context: Context, entry: InboxEntry) {
    this.#form = new AnswerForm(context, entry);
    this.root = element('article', { class: 'entry', 'data-entry': entry.id, 'aria-labelledby': `entry-${entry.id}` });
    append(this.root, [this.#body, new EvidenceForm(context, entry).root, this.#form.root]);
    this.show(entry);
  }

  /** What is open stays open, and what has the focus keeps it. */
  show(entry: InboxEntry): void {
    const text = JSON.stringify(entry);
    if (text === this.#shown) return;
    this.#shown = text;
    this.root.dataset['state'] = entry.state;
    renew(this.#body, bodyOf(entry));
    this.#form.show(entry);
  }
}

function bodyOf(entry: InboxEntry): HTMLElement[] {
  const { id, host, pinset, mode, state, meaning, advice, flow_id: flow, answer } = entry;
  const head = element(
    'header',
    {},
    element('h2', { id: `entry-${id}` }, host),
    badge(STATES[state].text, STATES[state].level),
  );
  const where = element('p', { class: 'note' }, `Pinset ${pinset}, ${mode}. ${refusedOf(entry, Date.now())}`);
  const parts = [head, where, differencesOf(entry), comparisonOf(entry), othersOf(entry)];
  const why = element(
    'p',
    {},
    prose(`${sentence(meaning)} ${sentence(advice)} `),
    element('a', { href: `/flows/${flow}` }, 'How the last connection was decided'),
  );
  if (answer === null) return [...parts, why];
  const said = answer.comment === null ? '' : `: “${answer.comment}”`;
  const answered = element(
    'p',
    { class: 'note' },
    `${ANSWERS[answer.answer]} by ${answer.by}, `,
    timeElement(answer.at),
    said,
  );
  if (answer.until !== null) append(answered, ['; until ', timeElement(answer.until)]);
  return [...parts, why, answered];
}

function differencesOf({ differences }: InboxEntry): HTMLElement {
  const items = differences.map(({ level, text }) =>
    element('li', { 'data-level': level }, element('span', { class: 'hidden' }, LEVELS[level]), sentence(text)),
  );
  return element('ul', { class: 'differences' }, ...items);
}

function comparisonOf({ before, chain, last }: InboxEntry): HTMLElement {
  const now = chain[0]!;
  const old = before?.leaf ?? null;
  const rows = FIELDS.map(([name, of]) => {
    const [was, is] = [old === null ? null : of(old), of(now)];
    const isOther = old !== null && was?.textContent !== is?.textContent;
    return element(
      'tr',
      { 'data-differs': isOther },
      element('th', { scope: 'row' }, name),
      element('td', { 'data-label': 'Before' }, was ?? '–'),
      element(
        'td',
        { 'data-label': 'Now' },
        is ?? '–',
        isOther ? element('span', { class: 'hidden' }, ' (differs)') : null,
      ),
    );
  });
  const before_ =
    before === null ? 'Before: not known' : element('span', {}, 'Before, let pass last ', timeElement(before.last));
  const head = [
    element('th', { scope: 'col' }, 'Certificate'),
    element('th', { scope: 'col' }, before_),
    element('th', { scope: 'col' }, 'Now, refused last ', timeElement(last)),
  ];
  return element(
    'table',
    { class: 'comparison' },
    element('thead', {}, element('tr', {}, ...head)),
    element('tbody', {}, ...rows),
  );
}

function othersOf({ clients, servers, chain, config }: InboxEntry): HTMLElement {
  const counts = (of: InboxEntry['clients']) =>
    element(
      'ul',
      {},
      ...of.known.map(({ value, count }) => element('li', {}, code(value), ` ${count} times`)),
      of.more ? element('li', {}, 'and others') : null,
    );
  const above = chain
    .slice(1)
    .map((leaf) => element('li', {}, leaf.subject ?? 'a subject that cannot be read', ' ', code(leaf.sha256)));
  return element(
    'details',
    {},
    element('summary', {}, 'Clients, servers, the rest of the path'),
    element('h3', {}, 'Clients'),
    counts(clients),
    element('h3', {}, 'Servers'),
    counts(servers),
    element('h3', {}, 'Certificates above it, as they were shown'),
    above.length === 0 ? element('p', {}, 'None.') : element('ol', {}, ...above),
    element('p', { class: 'note' }, 'Decided by the configuration ', code(config), '.'),
  );
}

const FIELDS: readonly (readonly [string, (leaf: Leaf) => HTMLElement | null])[] = [
  ['Key', ({ spki_sha256: key }) => (key === null ? null : code(key))],
  ['Subject', ({ subject }) => textOf(subject)],
  ['Issuer', ({ issuer }) => textOf(issuer)],
  ['Valid from', ({ not_before: from }) => (from === null ? null : timeElement(from, 'day'))],
  ['Valid until', ({ not_after: until }) => (until === null ? null : timeElement(until, 'day'))],
  ['SHA-256', ({ sha256 }) => code(sha256)],
];

function textOf(text: string | null): HTMLElement | null {
  return text === null ? null : element('span', {}, text);
}

const STATES = {
  open: { text: 'waits for an answer', level: 'warn' },
  snoozed: { text: 'snoozed, denied as before', level: 'note' },
  denied: { text: 'denied', level: 'bad' },
  accepted: { text: 'accepted', level: 'good' },
} as const;
const ANSWERS = { accept: 'Accepted', deny: 'Denied', snooze: 'Snoozed', reopen: 'Reopened' } as const;
const LEVELS = { bad: 'Suspicious: ', warn: 'To be asked: ', note: 'Usual: ' } as const;
