/**
 * Who may ask the console for anything: what every request has to be before a route sees it. A page of somebody else's in
 * the same browser must neither read nor change anything here, whatever name it has given to this address.
 *
 *   Host is ours ─▶ Origin, where one is told, is ours ─▶ not too often ─▶ /api: a session ─▶ not GET: its CSRF token
 */
import { createHash, timingSafeEqual } from 'node:crypto';

import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler, Next } from 'hono';
import { getCookie } from 'hono/cookie';
import { secureHeaders } from 'hono/secure-headers';
import ipaddr from 'ipaddr.js';

import type { Failure } from './api.ts';
import type { Connections } from './connections.ts';
import { localUserOf } from './local-user.ts';
import { type BrowserSession, Buckets, type Rate, type Sessions } from './sessions.ts';

export interface Env {
  readonly Bindings: HttpBindings;
  readonly Variables: { session: BrowserSession };
}

export interface GuardOptions {
  readonly isOwn: (host: string) => boolean;
  readonly isTls: boolean;
  /** Name of the session's cookie. */
  readonly cookie: string;
  readonly sessions: Sessions;
  /** How often a session may ask, and whoever has none, by address. */
  readonly rate: Rate;
  readonly connections: Connections;
}

/** No script, style, frame or request of anybody else's. */
export function headers(isTls: boolean): MiddlewareHandler<Env> {
  const self = ["'self'"];
  const none = ["'none'"];
  return secureHeaders({
    contentSecurityPolicy: {
      ...{ defaultSrc: none, scriptSrc: self, styleSrc: self, imgSrc: ["'self'", 'data:'], connectSrc: self },
      ...{ fontSrc: self, baseUri: none, formAction: self, frameAncestors: none, objectSrc: none },
    },
    referrerPolicy: 'no-referrer',
    xFrameOptions: 'DENY',
    crossOriginOpenerPolicy: 'same-origin',
    crossOriginResourcePolicy: 'same-origin',
    strictTransportSecurity: isTls ? 'max-age=31536000' : false,
  });
}

export function ownHostAndOrigin({ isOwn, isTls }: GuardOptions): MiddlewareHandler<Env> {
  return async (context, next) => {
    const host = context.req.header('host') ?? '';
    if (!isOwn(host)) return fail(context, 421, 'this console is not asked for by that name');
    const origin = context.req.header('origin');
    const own = `${isTls ? 'https' : 'http'}://${host}`.toLowerCase();
    const isChange = !isRead(context);
    if (origin === undefined ? isChange : origin.toLowerCase() !== own) {
      return fail(context, 403, 'this comes from another page');
    }
    const site = context.req.header('sec-fetch-site');
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
    // A link from elsewhere may lead to the page, which then asks by itself.
    if (isForeign && (isChange || context.req.path.startsWith('/api/'))) {
      return fail(context, 403, 'this comes from another page');
    }
    return next();
  };
}

/** Whoever is signed in shares nothing with those who are not: all users of this machine come from one address. */
export function notTooOften({ rate, sessions, cookie, connections }: GuardOptions): MiddlewareHandler<Env> {
  const [ofSessions, ofAddresses] = [new Buckets(rate), new Buckets(rate)];
  return async (context, next) => {
    const session = sessions.find(getCookie(context, cookie));
    if (session !== undefined) connections.trust(context.env?.incoming?.socket);
    const mayAsk = session === undefined ? ofAddresses.take(addressOf(context)) : ofSessions.take(session.id);
    // The sign-in looks at the token first, which nobody guesses, and counts what is wrong by itself.
    if (mayAsk || isSignIn(context)) return next();
    context.header('retry-after', '1');
    return fail(context, 429, 'that is too often: wait a moment');
  };
}

export function signedIn({ sessions, cookie }: GuardOptions): MiddlewareHandler<Env> {
  return async (context: Context<Env>, next: Next) => {
    const session = sessions.find(getCookie(context, cookie));
    if (session === undefined) return fail(context, 401, 'sign in with the token that tlspin web has printed');
    if (!isRead(context)) {
      if (!isSame(context.req.header('x-csrf-token') ?? '', session.csrf)) {
        return fail(context, 403, 'the token of the session is missing: load the page again');
      }
    }
    context.set('session', session);
    return next();
  };
}

/** Browsers do not tell ports apart: another console of the same host has another one. */
export function cookieName(isTls: boolean, port: number): string {
  return `${isTls ? '__Host-' : ''}tlspin-${port}`;
}

export function addressOf(context: Context<Env>): string {
  return whoHas(context.env?.incoming?.socket?.remoteAddress ?? '');
}

/** Of IPv6 the first 64 bits: whoever has one address of a network has all of them, and each would have its own guesses. */
export function whoHas(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const plain = ipaddr.process(address);
  const isShort = plain.kind() === 'ipv4' || plain.range() === 'loopback';
  return isShort ? plain.toString() : `${plain.toByteArray().slice(0, 8).join('.')}/64`;
}

/** Who tries passwords: on this machine the user, elsewhere the address. */
export function whoTries(context: Context<Env>): string {
  const socket = context.env?.incoming?.socket;
  const user = socket === undefined ? undefined : localUserOf(socket);
  return user === undefined ? addressOf(context) : `uid ${user}`;
}

function isSignIn({ req }: Context<Env>): boolean {
  return req.path === '/enter' || (req.path === '/api/session' && req.method === 'POST');
}

export function fail(
  context: Context<Env>,
  status: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 421 | 429 | 503,
  error: string,
) {
  return context.json({ error } satisfies Failure, status);
}

function isRead(context: Context<Env>): boolean {
  return context.req.method === 'GET' || context.req.method === 'HEAD';
}

function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
