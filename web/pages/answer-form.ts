/** The answers to a certificate that has changed. To accept takes two steps: what it would do, then doing it. */
import type { Acceptance, Answering, InboxEntry } from '../../src/web/api.ts';
import type { Context } from '../context.ts';
import { append, button, code, element, terms } from '../dom.ts';
import { counted } from '../sentences.ts';

export class AnswerForm {
  readonly root = element('div', { class: 'answers' });
  readonly #context: Context;
  readonly #buttons = element('div', { class: 'buttons' });
  readonly #step = element('div');
  readonly #message = element('p', { role: 'alert', class: 'failure' });
  #entry: InboxEntry;
  #shown: InboxEntry['state'] | undefined;

  constructor(context: Context, entry: InboxEntry) {
    this.#context = context;
    this.#entry = entry;
    if (context.server.session?.may_change === true) append(this.root, [this.#buttons, this.#step, this.#message]);
  }

  /** The buttons stay as they are as long as the question is the same one. */
  show(entry: InboxEntry): void {
    this.#entry = entry;
    if (entry.state === this.#shown) return;
    const hadFocus = this.root.contains(document.activeElement);
    this.#shown = entry.state;
    this.#step.replaceChildren();
    this.#buttons.replaceChildren(...this.#choices(entry));
    if (hadFocus) this.#buttons.querySelector('button')?.focus();
  }

  #choices({ state, host }: InboxEntry): HTMLElement[] {
    const about = { 'aria-description': host };
    const accept = button('Accept this key…', () => void this.#ask(), { class: 'primary', ...about });
    const deny = button('Keep denying', () => void this.#answer({ answer: 'deny' }), about);
    const reopen = button('Ask again', () => void this.#answer({ answer: 'reopen' }), about);
    const snooze = SNOOZES.map(([name, hours]) =>
      button(`Snooze ${name}`, () => void this.#answer({ answer: 'snooze', until: inHours(hours) }), {
        class: 'quiet',
        ...about,
      }),
    );
    if (state === 'open') return [accept, deny, ...snooze];
    return state === 'accepted' ? [] : [accept, reopen];
  }

  async #ask(): Promise<void> {
    await this.#try(async () => {
      const { accepted } = await this.#context.server.answer(this.#entry.id, { answer: 'accept', dry_run: true });
      if (accepted !== null) this.#confirm(this.#entry.key, accepted);
    });
  }

  /** What is written is what is shown here, or nothing. */
  #confirm(key: string, acceptance: Acceptance): void {
    const { generation, config } = acceptance;
    const comment = element('input', {
      id: `comment-${this.#entry.id}`,
      maxlength: 200,
      placeholder: 'who has confirmed it, and how',
    });
    const yes = element('button', { class: 'primary' }, `Accept it for ${reachOf(acceptance)}`);
    const form = element(
      'form',
      { class: 'confirm', 'aria-label': `Accept the key of ${this.#entry.host}` },
      element(
        'p',
        {},
        element('strong', {}, 'Has the owner of the server confirmed this key, by another way than this network?'),
      ),
      consequencesOf(acceptance),
      element('label', { for: comment.id }, 'Comment'),
      comment,
      element(
        'div',
        { class: 'buttons' },
        yes,
        button('Cancel', () => this.#cancel()),
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const seen = { key, generation, config };
      void this.#answer({ answer: 'accept', seen, ...(comment.value === '' ? {} : { comment: comment.value }) });
    });
    form.addEventListener('keydown', ({ key }) => key === 'Escape' && this.#cancel());
    this.#step.replaceChildren(form);
    comment.focus();
  }

  #cancel(): void {
    this.#step.replaceChildren();
    this.#buttons.querySelector('button')?.focus();
  }

  async #answer(answering: Answering): Promise<void> {
    await this.#try(async () => {
      const { entry } = await this.#context.server.answer(this.#entry.id, answering);
      this.#step.replaceChildren();
      this.#context.known.take({ entry });
      this.#context.changed();
    });
  }

  async #try(act: () => Promise<void>): Promise<void> {
    this.#message.textContent = '';
    this.root.setAttribute('aria-busy', 'true');
    try {
      await act();
    } catch (error) {
      this.#message.textContent = `That was not done: ${(error as Error).message}.`;
    }
    this.root.removeAttribute('aria-busy');
  }
}

/** `pinset bank (12 hosts)`: the key passes for all of them. */
function reachOf({ pinsets, hosts_count: count }: Acceptance): string {
  const of = `${pinsets.length === 1 ? 'pinset' : 'pinsets'} ${pinsets.join(', ')}`;
  return `${of} (${count === 0 ? 'whatever the host' : counted(count, 'host', 'hosts')})`;
}

function hostsOf({ hosts, hosts_count: count }: Acceptance): string {
  if (count === 0) return 'whatever the host';
  return count > hosts.length ? `${hosts.join(', ')} and ${count - hosts.length} more` : hosts.join(', ');
}

function consequencesOf(acceptance: Acceptance): HTMLElement {
  const { kind, pin, list, file, replay } = acceptance;
  const place = kind === 'list' ? `the list ${list ?? ''}` : 'what was learned';
  const passes =
    replay === null
      ? null
      : counted(replay.newly_accepted, 'connection of late that was refused', 'connections of late that were refused');
  return terms([
    ['Writes', code(pin)],
    ['into', `${place}${file === null ? ', until the engine starts again' : ` (${file})`}`],
    ['for', reachOf(acceptance)],
    ['that is', hostsOf(acceptance)],
    ['Would let pass', passes],
  ]);
}

function inHours(hours: number): string {
  return new Date(Date.now() + hours * 3_600_000).toISOString();
}

const SNOOZES = [
  ['1 hour', 1],
  ['1 day', 24],
  ['1 week', 168],
] as const;
