/** Hosts that are learned: their keys over time, what they come to, and the buttons to forget and to hold. */
import type { Learned, LearnedHostView, LearnedKeyView, Relearning } from '../../src/web/api.ts';
import type { Context, Page } from '../context.ts';
import { append, badge, button, code, element, prose, terms } from '../dom.ts';
import { counted, sentence } from '../sentences.ts';
import { timeElement } from '../time-element.ts';

export function learnedPage(context: Context): Page {
  return new LearnedPage(context);
}

class LearnedPage implements Page {
  readonly title = 'Learned';
  readonly root = element('section', {}, element('h1', {}, 'Learned hosts'));
  readonly #context: Context;
  readonly #who = element('input', {
    id: 'learned-who',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'bank',
  });
  readonly #note = element('p', { class: 'note', role: 'status' });
  readonly #message = element('p', { role: 'alert', class: 'failure' });
  readonly #done = element('p', { role: 'status', class: 'done' });
  readonly #list = element('div');
  #timer = 0;

  constructor(context: Context) {
    this.#context = context;
    const form = element(
      'form',
      { class: 'filter', role: 'search', 'aria-label': 'Filter of learned hosts' },
      element('div', {}, element('label', { for: 'learned-who' }, 'Host or pinset'), this.#who),
    );
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => void this.#load(), TYPING_MS);
    });
    append(this.root, [form, this.#note, this.#message, this.#done, this.#list]);
    void this.#load();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #load(): Promise<void> {
    this.root.setAttribute('aria-busy', 'true');
    try {
      const who = encodeURIComponent(this.#who.value.trim());
      this.#show(await this.#context.server.get<Learned>(`/api/learned?who=${who}`));
    } catch (error) {
      this.#note.textContent = '';
      this.#list.replaceChildren(emptyOf((error as Error).message));
    }
    this.root.removeAttribute('aria-busy');
  }

  #show({ hosts, found, known }: Learned): void {
    const more = found > hosts.length ? `, of which ${hosts.length} are shown: the latest seen` : '';
    this.#note.textContent =
      known === 0 ? '' : `${counted(found, 'host', 'hosts')}${found === known ? '' : ` of ${known}`}${more}.`;
    const cards = hosts.map((host) => this.#card(host));
    this.#list.replaceChildren(...(known === 0 ? [emptyOf(NOTHING_YET)] : cards));
  }

  #card(host: LearnedHostView): HTMLElement {
    const { text, level } = STANDINGS[host.standing];
    const mayChange = this.#context.server.session?.may_change === true;
    return element(
      'article',
      { class: 'entry', 'aria-label': host.host, tabindex: -1 },
      element('header', {}, element('h2', {}, host.host), badge(text, level)),
      element('p', { class: 'note' }, `Pinset ${host.pinset}. Seen ${counted(host.observations, 'time', 'times')}.`),
      keysOf(host, (key) => (mayChange ? this.#holdButton(host, key) : null)),
      host.warnings.length === 0
        ? null
        : element('ul', {}, ...host.warnings.map((each) => element('li', {}, prose(sentence(each))))),
      proposalOf(host),
      mayChange ? this.#forgetButton(host) : null,
    );
  }

  #holdButton({ pinset, host }: LearnedHostView, { key }: LearnedKeyView): HTMLElement {
    const relearning: Relearning = { action: 'hold', pinset, host, key };
    return this.#twoSteps(
      'Let this key pass…',
      `Let it pass for ${host}`,
      relearning,
      'Has its owner confirmed it, by another way?',
    );
  }

  #forgetButton({ pinset, host }: LearnedHostView): HTMLElement {
    const question = 'Its keys are learned anew then: what it shows next is let pass until it has settled.';
    return this.#twoSteps('Forget…', `Forget ${host}`, { action: 'forget', pinset, host }, question);
  }

  /** What is done at once cannot be thought over. */
  #twoSteps(name: string, act: string, relearning: Relearning, question: string): HTMLElement {
    const place = element('div', { class: 'buttons' });
    const first = button(name, () => ask(), { 'aria-description': relearning.host });
    const back = (): void => {
      place.replaceChildren(first);
      first.focus();
    };
    const ask = (): void => {
      const yes = button(act, () => void this.#change(relearning), { class: 'primary' });
      place.replaceChildren(element('p', { class: 'question' }, question), yes, button('Cancel', back));
      yes.focus();
    };
    place.addEventListener('keydown', ({ key }) => key === 'Escape' && back());
    place.append(first);
    return place;
  }

  async #change(relearning: Relearning): Promise<void> {
    this.#message.textContent = this.#done.textContent = '';
    const { action, host } = relearning;
    let done = '';
    try {
      await this.#context.server.relearn(relearning);
      done = action === 'hold' ? `The key passes for ${host} from now on.` : `${host} is forgotten.`;
    } catch (error) {
      this.#message.textContent = `That was not done: ${sentence((error as Error).message)}`;
    }
    await this.#load();
    this.#goOnAt(host);
    this.#done.textContent = done;
  }

  /** Whoever has gone elsewhere meanwhile stays there. */
  #goOnAt(host: string): void {
    if (document.activeElement !== document.body) return;
    const cards = [...this.#list.children] as HTMLElement[];
    (cards.find((card) => card.getAttribute('aria-label') === host) ?? this.#who).focus();
  }
}

/** Each key as a bar from the first time that it was seen to the last, of the time in which the host was. */
function keysOf({ keys }: LearnedHostView, more: (key: LearnedKeyView) => HTMLElement | null): HTMLElement {
  const [begin, end] = [
    Math.min(...keys.map(({ first }) => Date.parse(first))),
    Math.max(...keys.map(({ last }) => Date.parse(last))),
  ];
  const whole = Math.max(1, end - begin);
  const items = keys.map((key) => {
    const filled = element('div', { class: key.as });
    filled.style.left = `${(100 * (Date.parse(key.first) - begin)) / whole}%`;
    filled.style.width = `${Math.max(1, (100 * (Date.parse(key.last) - Date.parse(key.first))) / whole)}%`;
    return element(
      'li',
      {},
      element('div', { class: 'key-head' }, badge(KEYS[key.as].text, KEYS[key.as].level), code(key.key)),
      element('div', { class: 'track', 'aria-hidden': 'true' }, filled),
      element(
        'p',
        { class: 'note' },
        `${key.subject ?? 'A subject that cannot be read'}, ${counted(key.count, 'time', 'times')}, `,
        timeElement(key.first),
        ' to ',
        timeElement(key.last),
      ),
      key.as === 'denied' ? more(key) : null,
    );
  });
  return element('ul', { class: 'keys' }, ...items);
}

function proposalOf({ proposed, promoted }: LearnedHostView): HTMLElement | null {
  if (proposed === null) return null;
  return element(
    'details',
    {},
    element('summary', {}, 'A pinset of it, to review and to write into the configuration'),
    terms([['Held since', promoted === null ? null : timeElement(promoted)]]),
    element('pre', { tabindex: 0, 'aria-label': 'Proposed pinset' }, proposed),
  );
}

function emptyOf(why: string): HTMLElement {
  return element('div', { class: 'empty' }, element('h2', {}, 'No host is learned'), element('p', {}, sentence(why)));
}

const NOTHING_YET =
  'A pinset with "mode": "learn" records the keys of its hosts, and they appear here once clients have gone to them';
const STANDINGS = {
  learning: { text: 'is being learned', level: 'note' },
  settled: { text: 'settled', level: 'good' },
  rotating: { text: 'changes its keys', level: 'warn' },
  promoted: { text: 'held to its keys', level: 'good' },
  withheld: { text: 'not trusted', level: 'bad' },
} as const;
const KEYS = {
  held: { text: 'let pass', level: 'good' },
  seen: { text: 'seen', level: 'note' },
  denied: { text: 'denied', level: 'bad' },
} as const;
const TYPING_MS = 250;
