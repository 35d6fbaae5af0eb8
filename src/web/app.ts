/** The console's paths, and what each answers: who may ask is guard.ts's, and what is known console.ts's. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { deleteCookie, setCookie } from 'hono/cookie';
import type { Context } from 'hono';

import type { AnswerKind, Answering, FleetView, Session, SignIn, VerdictQuery } from './api.ts';
import type { Console } from './console.ts';
import {
  type Env,
  fail,
  type GuardOptions,
  headers,
  notTooOften,
  ownHostAndOrigin,
  signedIn,
  whoTries,
} from './guard.ts';
import type { Page } from './page.ts';
import type { BrowserSession } from './sessions.ts';

export interface AppOptions extends GuardOptions {
  readonly console: Console;
  readonly page: Page;
  readonly version: string;
  readonly allowsChanges: boolean;
  readonly fleet: (() => Promise<FleetView>) | undefined;
}

export function consoleApp(options: AppOptions): Hono<Env> {
  const app = new Hono<Env>();
  app.use(headers(options.isTls), ownHostAndOrigin(options), notTooOften(options));
  app.onError((error, context) => fail(context, 400, error.message));
  app.notFound((context) => fail(context, 404, 'there is nothing of that name'));
  addSessions(app, options);
  app.use('/api/*', signedIn(options), async (context, next) => {
    await next();
    context.header('cache-control', 'no-store');
  });
  addReading(app, options);
  addAnswering(app, options);
  addEvidence(app, options);
  addLearned(app, options);
  app.get('*', (context) => options.page.answer(context));
  return app;
}

function addSessions(app: Hono<Env>, options: AppOptions): void {
  const { sessions, isTls, cookie } = options;
  const begin = (context: Context<Env>, { id, until }: BrowserSession): void => {
    const expires = new Date(until);
    setCookie(context, cookie, id, {
      httpOnly: true,
      sameSite: 'Strict',
      secure: isTls,
      path: '/',
      expires,
    });
  };
  app.get('/enter', (context) => {
    const session = sessions.signIn(context.req.query('token') ?? '', () => whoTries(context));
    if (session !== undefined && session !== 'limited') begin(context, session);
    context.header('cache-control', 'no-store');
    return context.redirect('/', 303);
  });
  app.post('/api/session', smallJson(), async (context) => {
    const { secret } = (await context.req.json<Partial<SignIn>>()) ?? {};
    const session = sessions.signIn(typeof secret === 'string' ? secret : '', () => whoTries(context));
    context.header('cache-control', 'no-store');
    if (session === 'limited') return fail(context, 429, 'too many attempts: wait a minute');
    if (session === undefined) return fail(context, 401, 'that is not the token of this console');
    begin(context, session);
    return context.json(sessionOf(session, options));
  });
  app.delete('/api/session', signedIn(options), (context) => {
    sessions.end(context.get('session').id);
    deleteCookie(context, cookie, { path: '/', secure: isTls });
    return context.body(null, 204);
  });
  app.get('/api/session', signedIn(options), (context) => {
    context.header('cache-control', 'no-store');
    return context.json(sessionOf(context.get('session'), options));
  });
}

function addReading(app: Hono<Env>, { console, sessions }: AppOptions): void {
  app.get('/api/overview', (context) => context.json(console.overview));
  app.get('/api/series', (context) => context.json(console.series));
  app.get('/api/inbox', (context) => context.json(console.inbox));
  app.get('/api/verdicts', (context) => context.json(console.verdicts(context.req.query() as VerdictQuery)));
  app.get('/api/flows/:flow{[0-9]+}', async (context) => {
    if (console.engine.state === 'gone') return fail(context, 503, 'the engine is not there');
    try {
      return context.json(await console.explain(Number(context.req.param('flow'))));
    } catch (error) {
      return fail(context, 404, (error as Error).message);
    }
  });
  app.get('/api/list', async (context) => {
    if (console.engine.state === 'gone') return fail(context, 503, 'the engine is not there');
    const { list = '', after = '0' } = context.req.query();
    if (!/^\d{1,15}$/.test(after)) return fail(context, 400, '"after" is a whole number');
    try {
      return context.json(await console.list(list, Number(after)));
    } catch (error) {
      return fail(context, 404, (error as Error).message);
    }
  });
  app.get('/api/events', (context) => {
    const { id } = context.get('session');
    const stream = console.events.connect(() => sessions.find(id) !== undefined);
    if (stream === undefined) return fail(context, 503, 'too many browsers look at this console');
    context.header('content-type', 'text/event-stream');
    context.header('x-accel-buffering', 'no');
    return context.body(stream);
  });
}

function addAnswering(app: Hono<Env>, { console, allowsChanges }: AppOptions): void {
  app.post('/api/inbox/:id{[0-9a-f]{12}}', smallJson(), async (context) => {
    if (!allowsChanges) return fail(context, 403, READ_ONLY);
    const entry = console.entry(context.req.param('id') ?? '');
    if (entry === undefined) return fail(context, 404, 'there is no such entry any more');
    if (console.engine.state === 'gone') return fail(context, 503, 'the engine is not there');
    const answering = answeringOf(await context.req.json());
    const isSeen = answering.answer !== 'accept' || answering.dry_run === true || answering.seen?.key === entry.key;
    if (!isSeen) return fail(context, 409, 'that is not the key that was looked at: look again');
    try {
      return context.json(await console.answer(entry, answering));
    } catch (error) {
      return fail(context, 409, (error as Error).message);
    }
  });
}

function addEvidence(app: Hono<Env>, { console, fleet }: AppOptions): void {
  app.post('/api/inbox/:id{[0-9a-f]{12}}/audit', smallJson(), async (context) => {
    const entry = console.entry(context.req.param('id') ?? '');
    if (entry === undefined) return fail(context, 404, 'there is no such entry any more');
    const audited = await console.audit(entry);
    return audited === undefined
      ? fail(context, 429, 'it was asked a moment ago: wait a while')
      : context.json(audited);
  });
  const view = fleet === undefined ? undefined : fresh(fleet);
  app.get('/api/fleet', async (context) => {
    if (view === undefined) return fail(context, 404, 'no fleet is configured: tlspin web -c FILE names one');
    try {
      return context.json(await view());
    } catch (error) {
      return fail(context, 503, (error as Error).message);
    }
  });
}

/** However many look, it is asked for once in a while. */
function fresh<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    if (known === undefined || performance.now() - known.at > FRESH_MS)
      known = { at: performance.now(), answer: ask() };
    return known.answer;
  };
}

function addLearned(app: Hono<Env>, { console, allowsChanges }: AppOptions): void {
  const { learned } = console;
  app.get('/api/learned', async (context) => {
    if (console.engine.state === 'gone') return fail(context, 503, 'the engine is not there');
    try {
      return context.json(await learned.find(context.req.query('who') ?? ''));
    } catch (error) {
      return fail(context, 409, (error as Error).message);
    }
  });
  app.post('/api/learned', smallJson(), async (context) => {
    if (!allowsChanges) return fail(context, 403, READ_ONLY);
    const { action, pinset, host, key } = (await context.req.json<Readonly<Record<string, unknown>>>()) ?? {};
    const isKey = typeof key === 'string' && SPKI.test(key);
    if (
      typeof pinset !== 'string' ||
      typeof host !== 'string' ||
      !(action === 'forget' || (action === 'hold' && isKey))
    )
      return fail(context, 400, '"action" is forget or hold, of a "pinset" and a "host", to hold with a "key"');
    try {
      await (action === 'forget' ? learned.forget(pinset, host) : learned.hold(pinset, host, String(key).slice(12)));
      return context.body(null, 204);
    } catch (error) {
      return fail(context, 409, (error as Error).message);
    }
  });
}

function smallJson() {
  const limit = bodyLimit({
    maxSize: LONGEST_BODY,
    onError: (context) => fail(context, 413, `a request has ${LONGEST_BODY} octets at the most`),
  });
  return async (context: Context<Env>, next: () => Promise<void>) => {
    const type = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (type !== 'application/json') return fail(context, 415, 'a request is application/json');
    return limit(context, next);
  };
}

function sessionOf({ csrf, until }: BrowserSession, { version, allowsChanges, fleet }: AppOptions): Session {
  return {
    ...{ version, csrf, may_change: allowsChanges, why_not: allowsChanges ? null : READ_ONLY },
    until: new Date(until).toISOString(),
    has_fleet: fleet !== undefined,
  };
}

/** Throws a sentence. */
function answeringOf(body: unknown): Answering {
  const { answer, dry_run: isDry, until, comment, seen } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (!KINDS.includes(answer as AnswerKind)) throw new Error(`"answer" must be one of ${KINDS.join(', ')}`);
  if (isDry !== undefined && (typeof isDry !== 'boolean' || (isDry && answer !== 'accept'))) {
    throw new Error('"dry_run" is true or false, and of "accept" alone');
  }
  for (const [name, value] of Object.entries({ until, comment })) {
    if (value !== undefined && typeof value !== 'string') throw new Error(`"${name}" must be a text`);
  }
  if (answer === 'accept' && isDry !== true && !isSeen(seen)) {
    throw new Error('"seen" has the key, and the generation and config of the dry run: accepting takes one');
  }
  return body as Answering;
}

function isSeen(seen: unknown): boolean {
  const { key, generation, config } = (seen ?? {}) as Readonly<Record<string, unknown>>;
  return typeof key === 'string' && Number.isSafeInteger(generation) && typeof config === 'string';
}

const KINDS: readonly AnswerKind[] = ['accept', 'deny', 'snooze', 'reopen'];
const READ_ONLY = 'this console only shows: start tlspin web with --allow-changes to answer';
const LONGEST_BODY = 16 * 1024;
const FRESH_MS = 5_000;
const SPKI = /^spki-sha256:[A-Za-z0-9+/]{43}=$/;
