/** The console's page: the inbox, and whether the network is protected. Whatever a peer has chosen is text, never markup. */
const at = (id) => document.getElementById(id);
let session;

async function ask(path, options = {}) {
  const response = await fetch(path, options);
  const body = response.status === 204 ? null : await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error), { status: response.status });
  return body;
}

function post(path, body) {
  const headers = { 'content-type': 'application/json', 'x-csrf-token': session?.csrf ?? '' };
  return ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function say(text) {
  at('message').textContent = text;
}

async function answer(entry, body) {
  try {
    if (body.answer === 'accept') {
      const { accepted } = await post(`/api/inbox/${entry.id}`, { ...body, dry_run: true });
      const pinsets = accepted.pinsets.join(', ');
      if (!confirm(`Accept ${accepted.pin} for ${pinsets}? Ask the owner of ${entry.host} first.`)) return;
    }
    await post(`/api/inbox/${entry.id}`, body);
    say('');
    await showInbox();
  } catch (error) {
    say(error.message);
  }
}

function entryElement(entry) {
  const made = element('article', '', { 'data-entry': entry.id, 'data-state': entry.state });
  made.append(element('h2', `${entry.host} (${entry.pinset}): ${entry.state}`));
  made.append(
    element('p', `Refused ${entry.refused} times since ${new Date(entry.first).toLocaleString()}: ${entry.meaning}.`),
  );
  const list = element('ul', '');
  for (const { level, text } of entry.differences) list.append(element('li', text, { 'data-level': level }));
  made.append(list);
  made.append(element('code', entry.key));
  if (session.may_change) made.append(buttonsFor(entry));
  return made;
}

function buttonsFor(entry) {
  const buttons = element('p', '');
  const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString();
  const answers = {
    'Accept this key': () => ({ answer: 'accept' }),
    'Keep denying': () => ({ answer: 'deny' }),
    'Ask again tomorrow': () => ({ answer: 'snooze', until: tomorrow() }),
  };
  for (const [label, body] of Object.entries(answers)) {
    const button = element('button', label, { type: 'button' });
    button.addEventListener('click', () => answer(entry, body()));
    buttons.append(button);
  }
  return buttons;
}

async function showInbox() {
  const { entries } = await ask('/api/inbox');
  const inbox = at('inbox');
  inbox.replaceChildren(...entries.map(entryElement));
  if (entries.length === 0) inbox.append(element('p', 'No certificate has changed.'));
}

function showHealth(health, engine) {
  const lacking = health?.conditions?.map(({ detail }) => detail).join('; ') ?? '';
  const state = engine?.state === 'gone' ? `the engine is gone: ${engine.error}` : (health?.state ?? 'unknown');
  at('protection').textContent = lacking === '' ? state : `${state}: ${lacking}`;
}

async function begin() {
  try {
    session = await ask('/api/session');
  } catch (error) {
    at('sign-in').hidden = error.status !== 401;
    return say(error.message);
  }
  at('sign-in').hidden = true;
  say(session.why_not ?? '');
  const { health, engine } = await ask('/api/overview');
  showHealth(health, engine);
  await showInbox();
  const events = new EventSource('/api/events');
  events.addEventListener('inbox', () => void showInbox());
  events.addEventListener('status', ({ data }) => showHealth(JSON.parse(data).health));
  events.addEventListener('engine', ({ data }) => showHealth(undefined, JSON.parse(data)));
}

at('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await post('/api/session', { secret: new FormData(event.target).get('secret') });
    await begin();
  } catch (error) {
    say(error.message);
  }
});
await begin();
