/**
 * Where the console listens, and by which names it may be asked for. On loopback by HTTP; elsewhere with TLS and a
 * password alone. A name that is not its own is somebody's who has turned it round to here (DNS rebinding).
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  /** Null: the token is enough. */
  readonly password: string | null;
  /** Of the header Host, port included. */
  readonly isOwn: (host: string) => boolean;
  /** As it is typed. */
  readonly url: string;
}

export interface ListenOptions {
  /** ADDRESS:PORT. */
  readonly listen: string;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly passwordFile?: string | undefined;
}

/** Throws a sentence. */
export function listening(options: ListenOptions): Listening {
  const { host, port } = endpointOf(options.listen);
  const tls = tlsOf(options);
  const password = options.passwordFile === undefined ? null : passwordIn(options.passwordFile);
  if (!isLoopback(host) && (tls === null || password === null)) {
    throw new Error(
      `${options.listen} is not on loopback: other addresses take --tls-cert, --tls-key and --password-file`,
    );
  }
  const names = isLoopback(host) ? ['localhost', '127.0.0.1', '[::1]'] : [];
  const literal = host.includes(':') ? `[${host}]` : host;
  return {
    ...{ host, port, tls, password },
    isOwn: (asked) => isOwn(asked, [...names, literal], port, tls?.cert),
    url: `${tls === null ? 'http' : 'https'}://${literal}:${port}`,
  };
}

function endpointOf(text: string): { host: string; port: number } {
  const [, ipv6, ipv4, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = ipv6 ?? ipv4 ?? '';
  const port = Number(digits);
  if (isIP(host) === 0 || port === 0 || port > 65_535) {
    throw new Error(`"${text}" is no ADDRESS:PORT such as 127.0.0.1:8477 or [::1]:8477`);
  }
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host === '::1' || /^127\./.test(host);
}

/** A certificate says by which names its server is asked for. */
function isOwn(asked: string, names: readonly string[], port: number, cert: Buffer | undefined): boolean {
  const [, name = '', given] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(asked) ?? [];
  const usual = cert === undefined ? 80 : 443;
  if (Number(given ?? usual) !== port) return false;
  if (names.includes(name.toLowerCase())) return true;
  if (cert === undefined) return false;
  const certificate = new X509Certificate(cert);
  const bare = name.replace(/^\[|\]$/g, '');
  return (isIP(bare) === 0 ? certificate.checkHost(bare) : certificate.checkIP(bare)) !== undefined;
}

function tlsOf({ tlsCert, tlsKey }: ListenOptions): Listening['tls'] {
  if (tlsCert === undefined && tlsKey === undefined) return null;
  if (tlsCert === undefined || tlsKey === undefined) throw new Error('--tls-cert and --tls-key belong together');
  return { cert: read(tlsCert), key: read(tlsKey) };
}

/** Its first line. */
function passwordIn(file: string): string {
  const [password = ''] = read(file).toString('utf8').split('\n');
  if ((statSync(file).mode & 0o077) !== 0) throw new Error(`${file} may be read by others: chmod 600 ${file}`);
  if (password.length >= LEAST_PASSWORD) return password;
  throw new Error(`${file}: its first line, the password, has to have ${LEAST_PASSWORD} characters at the least`);
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`cannot read ${file} (${code}): see to the path and its permissions`, { cause });
  }
}

const LEAST_PASSWORD = 12;
