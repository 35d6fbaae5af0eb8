/**
 * What `tlspin pin` is asked to reach: `host`, `host:port`, or a URL whose scheme says what comes before TLS. Knows
 * names and default ports; connects nowhere.
 */
import { isIP } from 'node:net';

import { nearest } from '../../pins/document/message.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  /** What comes before TLS, as preambles are called; null: TLS from the first octet. */
  readonly starttls: string | null;
  /** True where the port is the scheme's own. */
  readonly isDefaultPort: boolean;
}

/**
 * `host`, `host:443`, `192.0.2.1:443`, `[2001:db8::1]:443`, `2001:db8::1`, `smtp://host:587`; undefined when it is none
 * of these. Throws for a scheme that nobody here speaks.
 */
export function parseTarget(source: string): Target | undefined {
  const [, scheme, authority = source] =
    /^([a-z][a-z0-9+.-]*):\/\/(?:[^/?#@]*@)?([^/?#]*)(?:[/?#].*)?$/i.exec(source) ?? [];
  const { port: defaultPort, starttls } = schemeOf(scheme?.toLowerCase() ?? 'https');
  const [host, port] = splitAuthority(authority) ?? [];
  if (host === undefined) return undefined;
  const number = Number(port ?? defaultPort);
  if (number < 1 || number > 65_535) return undefined;
  return { host, port: number, starttls: starttls ?? null, isDefaultPort: number === 443 && starttls === undefined };
}

/** What comes before TLS on a port of its own; null where TLS begins at once. */
export function starttlsOn(port: number): string | null {
  const schemes: readonly Scheme[] = Object.values(SCHEMES);
  return schemes.find((scheme) => scheme.port === port && scheme.starttls !== undefined)?.starttls ?? null;
}

/** For texts. */
export function schemeNames(): string[] {
  return Object.keys(SCHEMES);
}

function splitAuthority(authority: string): [string, string | undefined] | undefined {
  if (isIP(authority) === 6) return [authority, undefined];
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([^:/\s[\]]+))(?::(\d{1,5}))?$/i.exec(authority) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || (bracketed !== undefined && isIP(bracketed) !== 6)) return undefined;
  return [host, port];
}

function schemeOf(name: string): Scheme {
  const scheme = Object.hasOwn(SCHEMES, name) ? SCHEMES[name as keyof typeof SCHEMES] : undefined;
  if (scheme !== undefined) return scheme;
  const meant = nearest(name, schemeNames());
  const cure = meant === undefined ? `known are ${schemeNames().join(', ')}` : `did you mean ${meant}://?`;
  throw new Error(`what comes before TLS in ${name}:// is not known here: ${cure}`);
}

interface Scheme {
  readonly port: number;
  readonly starttls?: string;
}

/** RFC 6335's names and ports; those that end in s begin with TLS. */
const SCHEMES = {
  https: { port: 443 },
  tls: { port: 443 },
  smtp: { port: 25, starttls: 'smtp' },
  submission: { port: 587, starttls: 'smtp' },
  smtps: { port: 465 },
  imap: { port: 143, starttls: 'imap' },
  imaps: { port: 993 },
  pop3: { port: 110, starttls: 'pop3' },
  pop3s: { port: 995 },
  ftp: { port: 21, starttls: 'ftp' },
  ftps: { port: 990 },
  xmpp: { port: 5222, starttls: 'xmpp' },
  'xmpp-server': { port: 5269, starttls: 'xmpp' },
  irc: { port: 6667, starttls: 'irc' },
  ircs: { port: 6697 },
  sieve: { port: 4190, starttls: 'sieve' },
  nntp: { port: 119, starttls: 'nntp' },
  nntps: { port: 563 },
  ldap: { port: 389, starttls: 'ldap' },
  ldaps: { port: 636 },
  postgres: { port: 5432, starttls: 'postgres' },
  postgresql: { port: 5432, starttls: 'postgres' },
  mysql: { port: 3306, starttls: 'mysql' },
  mariadb: { port: 3306, starttls: 'mysql' },
  rdp: { port: 3389, starttls: 'rdp' },
} as const satisfies Record<string, Scheme>;
