/** What the server of an entry shows to the console itself, asked for by a click; and what that is worth. */
import type { Audited, InboxEntry } from '../../src/web/api.ts';
import type { Context } from '../context.ts';
import { badge, button, code, element, table } from '../dom.ts';
import { counted, sentence } from '../sentences.ts';
import { timeElement } from '../time-element.ts';

export class EvidenceForm {
  readonly root = element('div', { class: 'evidence' });
  readonly #answer = element('div', { role: 'status' });

  constructor({ server }: Context, { id, host }: InboxEntry) {
    const ask = button('Ask the server now', () => void this.#ask(() => server.audit(id), ask), {
      class: 'quiet',
      'aria-description': host,
    });
    this.root.append(ask, this.#answer);
  }

  async #ask(audit: () => Promise<Audited>, asking: HTMLButtonElement): Promise<void> {
    asking.disabled = true;
    this.#answer.replaceChildren(element('p', { class: 'note' }, 'Asking; that takes some seconds.'));
    try {
      this.#answer.replaceChildren(...shownOf(await audit()));
    } catch (error) {
      this.#answer.replaceChildren(element('p', { class: 'failure' }, sentence((error as Error).message)));
    }
    asking.disabled = false;
    asking.focus();
  }
}

function shownOf({ at, shown, failures, gateways }: Audited): HTMLElement[] {
  const rows = [
    ...shown.map((one) => [
      element('span', {}, code(one.address), `, port ${one.port}`),
      badge(WHICH[one.is].text, WHICH[one.is].level),
      element(
        'span',
        {},
        one.subject ?? 'a subject that cannot be read',
        ', by ',
        one.issuer ?? 'nobody that can be read',
      ),
      one.key === null ? null : code(one.key),
    ]),
    ...failures.map(({ address, sentence: why }) => [code(address), badge('no answer', 'note'), why, null]),
  ];
  return [
    element('p', {}, element('strong', {}, summaryOf(shown)), ' Asked ', timeElement(at, 'clock'), '.'),
    table('What the server shows now', ['Address', 'Key', 'Certificate', 'As a pin'], rows),
    element(
      'p',
      { class: 'note' },
      'Whoever is between this machine and the server answers here as well: this is no proof of the key, only another look.',
    ),
    ...(gateways === null ? [] : seenElsewhere(gateways)),
  ];
}

function seenElsewhere(gateways: NonNullable<Audited['gateways']>): HTMLElement[] {
  if (gateways.length === 0) {
    return [element('p', {}, 'No other gateway has told of a decision about it in the last day.')];
  }
  const of = (is: keyof typeof WHICH) =>
    new Set(gateways.filter((one) => one.is === is).map(({ gateway }) => gateway)).size;
  const [fresh, old] = [of('new'), of('before')];
  const rows = gateways.map((one) => [
    one.gateway,
    badge(WHICH[one.is].text, WHICH[one.is].level),
    String(one.passed),
    String(one.denied),
    timeElement(one.last),
    code(one.key),
  ]);
  return [
    element(
      'p',
      {},
      element(
        'strong',
        {},
        `In the last day ${counted(fresh, 'other gateway has', 'other gateways have')} seen the new key, and ${old} the one of before.`,
      ),
    ),
    table('What other gateways have seen', ['Gateway', 'Key', 'Let pass', 'Denied', 'Last', 'As a pin'], rows),
  ];
}

function summaryOf(shown: Audited['shown']): string {
  if (shown.length === 0) return 'The server shows nothing to this machine.';
  const of = (is: Audited['shown'][number]['is']) => shown.filter((one) => one.is === is).length;
  const [fresh, old, other] = [of('new'), of('before'), of('other')];
  if (fresh === shown.length) return 'Asked from here, the server shows the new key as well.';
  if (old === shown.length)
    return 'Asked from here, the server still shows the key of before: not everybody sees the new one.';
  return `Asked from here, ${counted(fresh, 'address shows', 'addresses show')} the new key, ${old} the one of before, ${other} another one.`;
}

const WHICH = {
  new: { text: 'the new key', level: 'warn' },
  before: { text: 'the key of before', level: 'good' },
  other: { text: 'another key', level: 'bad' },
} as const;
