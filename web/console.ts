/** The console's page: signing in, the way from an address to a page, and what all pages have around them. */
import type { Context, Page } from './context.ts';
import { element } from './dom.ts';
import { Known } from './known.ts';
import { flowPage } from './pages/flow.ts';
import { fleetPage } from './pages/fleet.ts';
import { inboxPage } from './pages/inbox.ts';
import { learnedPage } from './pages/learned.ts';
import { livePage } from './pages/live.ts';
import { overviewPage } from './pages/overview.ts';
import { signInPage } from './pages/sign-in.ts';
import { protectionOf } from './sentences.ts';
import { Refused, Server } from './server.ts';
import { zoneName } from './times.ts';

const at = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const server = new Server();
const known = new Known(server);
const context: Context = { server, known, go, changed };
let shown: Page | null = null;

function go(path: string): void {
  history.pushState(null, '', path);
  show(pageOf(location.pathname), true);
}

function pageOf(path: string): Page {
  const flow = /^\/flows\/(\d+)$/u.exec(path)?.[1];
  if (flow !== undefined) return flowPage(context, flow);
  if (path === '/live') return livePage(context);
  if (path === '/overview') return overviewPage(context);
  if (path === '/learned') return learnedPage(context);
  if (path === '/fleet') return fleetPage(context);
  return inboxPage(context);
}

/** Whoever came by a link goes on reading at the page, not at what they have clicked. */
function show(page: Page, isMoved = false): void {
  shown?.close?.();
  shown = page;
  at('page').replaceChildren(page.root);
  showAround();
  if (isMoved) {
    at('page').focus();
    window.scrollTo(0, 0);
  }
}

function showAround(): void {
  const isIn = server.session !== null;
  const count = known.open > 0 ? ` (${known.open})` : '';
  document.title =
    isIn && known.open > 0 ? `(${known.open}) ${shown?.title ?? ''} · tlspin` : `${shown?.title ?? ''} · tlspin`;
  at('sign-out').hidden = !isIn;
  showLinks(isIn ? pagesOf().map(([path, name]) => linkTo(path, path === '/' ? `${name}${count}` : name)) : []);
  at('zone').textContent =
    `Times are those of ${zoneName(Date.now())}. ${isIn ? `tlspin ${server.session!.version}.` : ''}`;
  showProtection(isIn);
}

/** Made anew only where they are other ones, and what has the focus keeps it. */
function showLinks(links: readonly HTMLElement[]): void {
  const place = at('pages');
  const before = [...place.children];
  if (before.length === links.length && links.every((link, i) => link.isEqualNode(before[i]!))) return;
  const focused = before.indexOf(document.activeElement!);
  place.replaceChildren(...links);
  links[focused]?.focus();
}

function pagesOf(): readonly (readonly [path: string, name: string])[] {
  return server.session?.has_fleet === true ? [...PAGES, ['/fleet', 'Fleet']] : PAGES;
}

function linkTo(path: string, name: string): HTMLElement {
  return element('a', { href: path, 'aria-current': location.pathname === path ? 'page' : null }, name);
}

/** Said again only if it is another sentence: screen readers read it out. */
function showProtection(isIn: boolean): void {
  const place = at('protection');
  place.hidden = !isIn;
  const { level, text } = protectionOf(known.health, known.isLinked ? known.engine : null, Date.now());
  if (place.textContent === text) return;
  place.dataset['level'] = level;
  place.textContent = text;
}

function changed(): void {
  showAround();
  shown?.update?.();
}

async function begin(): Promise<void> {
  try {
    await server.begin();
    known.isLinked = true;
    await known.load();
  } catch (error) {
    if (!(error instanceof Refused)) return showUnreachable();
    if (error.status === 401) return signIn();
    return showUnreachable(error.message);
  }
  show(pageOf(location.pathname));
  server.follow(
    {
      verdicts: (verdicts) => shown?.onVerdicts?.(verdicts),
      inbox: (event) => {
        known.take(event);
        changed();
      },
      record: () => {},
      status: (event) => {
        known.takeStatus(event);
        changed();
      },
      engine: (state) => {
        known.engine = state;
        void reload();
      },
    },
    (isUp) => {
      const wasDown = !known.isLinked;
      known.isLinked = isUp;
      if (isUp && wasDown) void reload();
      else showAround();
    },
  );
}

/** After a gap: what was missed is asked for. */
async function reload(): Promise<void> {
  await known.load().catch(() => {});
  changed();
}

function signIn(): void {
  server.session = null;
  show(signInPage(server, () => void begin()));
}

function showUnreachable(sentence = 'The console does not answer.'): void {
  const retry = element('p', {}, `${sentence} It is tried again every few seconds.`);
  show({ title: 'No answer', root: element('section', { class: 'empty' }, element('h1', {}, 'No answer'), retry) });
  setTimeout(() => void begin(), 3_000);
}

/** Links of this console change the page without loading it; those that ask for a window of their own have it. */
document.addEventListener('click', (event) => {
  const link = (event.target as Element).closest?.('a[href^="/"]');
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute('href')!);
});
window.addEventListener('popstate', () => show(pageOf(location.pathname), true));
at('sign-out').addEventListener('click', () => void server.signOut());
server.onSignedOut = signIn;

const PAGES = [
  ['/', 'Inbox'],
  ['/live', 'Live'],
  ['/overview', 'Overview'],
  ['/learned', 'Learned'],
] as const;

void begin();
