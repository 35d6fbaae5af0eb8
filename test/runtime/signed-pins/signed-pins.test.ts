/** Signed pins from a real web server over TLS, which does everything that it must not get away with. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { type Claims, signDocument } from '../../../src/fleet/signed-document.ts';
import { createKeyFiles, parseSecretKey, type SecretKey } from '../../../src/minisign/keys.ts';
import { joinKept, splitKept } from '../../../src/pins/document/kept.ts';
import { loadPolicy } from '../../../src/pins/load.ts';
import { LiveConfiguration } from '../../../src/runtime/control/configuration.ts';
import { readConfiguration } from '../../../src/runtime/control/configuration/reading.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import { SignedPins } from '../../../src/runtime/signed-pins/signed-pins.ts';
import { PIN_A, PIN_B } from '../../support/configuration.ts';

const DAY = 86_400_000;
const secret = parseSecretKey(createKeyFiles().secret) as SecretKey;
const stranger = parseSecretKey(createKeyFiles().secret) as SecretKey;

let tls: { key: Buffer; cert: Buffer };
let folder: string;
let server: Server;
let port: number;
/** What the web server has, by path. */
let site: Map<string, string | Uint8Array>;
let asked: string[];
/** Why the queues take nothing new. */
let refusal: string | undefined;
let configuration: LiveConfiguration;
let protection: Protection;
let said: string[];
let looking: NodeJS.Timeout;
let signed: SignedPins;

const at = (name: string) => join(folder, name);
const pinsetOf = (pin: string) => ({ name: 'bank', match: { hosts: ['www.bank.example'] }, pins: [pin] });
const documentOf = (pin: string) => JSON.stringify({ version: 1, pinsets: [pinsetOf(pin)] });
const claimsOf = (version: number, more: Partial<Claims> = {}): Claims => ({
  ...{ name: 'office', version, expires: Math.floor(Date.now() / 1000) * 1000 + DAY },
  ...more,
});
const codes = () => protection.conditions.map(({ code }) => code).sort();
const detail = (code: string) => protection.conditions.find((each) => each.code === code)?.detail;
const pinInForce = () => configuration.policy.pinsets.map(({ pins }) => pins.map(({ key }) => key)).flat()[0];
const keyOf = (pin: string) => Buffer.from(pin.slice('sha256//'.length), 'base64').toString('hex');
const until = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

beforeAll(() => {
  const made = mkdtempSync(join(tmpdir(), 'tlspin-web-'));
  const [key, cert] = [join(made, 'key'), join(made, 'cert')];
  const of = ['-subj', '/CN=pins', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '9', '-nodes'];
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  execFileSync('openssl', ['req', '-x509', ...ec, ...of, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  tls = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(made, { recursive: true });
}, 30_000);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-signed-'));
  writeFileSync(at('ca.pem'), tls.cert);
  site = new Map();
  asked = [];
  refusal = undefined;
  await serve(0);
});
afterEach(() => {
  vi.useRealTimers();
  clearInterval(looking);
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

async function serve(wanted: number): Promise<void> {
  server = createServer(tls, (request, response) => {
    asked.push(request.url!);
    const content = site.get(request.url!);
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((resolve) => server.listen(wanted, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
}

function publish(content: string, claims: Claims, by = secret): void {
  site.set('/office.json', content);
  site.set('/office.json.minisig', signDocument(Buffer.from(content), by, claims).signature);
}

function configure(more: object = {}): void {
  const pins = {
    url: `https://127.0.0.1:${port}/office.json`,
    trustedKeys: [secret.publicKey.line],
    ...{ file: 'office.kept', ca: 'ca.pem', every: '1s' },
    ...more,
  };
  writeFileSync(at('tlspin.json'), JSON.stringify({ version: 1, pins }));
}

/** What the daemon does at its start, and then each second, faster. */
function start(): void {
  const loaded = readConfiguration(at('tlspin.json'));
  if ('errors' in loaded) throw new Error(loaded.errors.map((error) => error.text).join('\n'));
  said = [];
  protection = new Protection({ log: { write: () => {} }, say: (line) => void said.push(line) });
  let generation = 1;
  configuration = new LiveConfiguration({
    ...{ file: at('tlspin.json'), loaded },
    apply: async () =>
      refusal === undefined
        ? { isInForce: true, generation: ++generation, silent: [] }
        : { isInForce: false, reason: refusal },
    onChange: () => {},
  });
  lookAtOnce();
  clearInterval(looking);
  looking = setInterval(() => signed.look(), 20);
}

/** Without the wait for the next look. */
function lookAtOnce(): void {
  signed = new SignedPins({ configuration, protection });
}

describe('signed pins', () => {
  it('are had, put into force, and kept for a start without the server', async () => {
    publish(documentOf(PIN_A), claimsOf(1));
    configure();
    start();
    await until(() => expect([pinInForce(), codes()]).toEqual([keyOf(PIN_A), []]));
    expect(splitKept(readFileSync(at('office.kept')))?.bytes.toString()).toBe(documentOf(PIN_A));

    publish(documentOf(PIN_B), claimsOf(2));
    await until(() => expect(pinInForce()).toBe(keyOf(PIN_B)));

    server.close();
    server.closeAllConnections();
    start();
    expect(pinInForce()).toBe(keyOf(PIN_B));
    await until(() => expect(codes()).toEqual(['pins.unreachable']));
    await serve(port);
  });

  it('are fetched once, and then only their signature', async () => {
    publish(documentOf(PIN_A), claimsOf(1));
    configure();
    start();
    await until(() => expect(asked.length).toBeGreaterThan(4));
    expect(asked.filter((path) => path === '/office.json')).toHaveLength(1);
  });

  it('that were never had are said to be missing, and come once the server is there', async () => {
    server.close();
    configure();
    start();
    await until(() => expect(codes()).toEqual(['pins.missing', 'pins.unreachable']));
    expect(protection.state).toBe('unprotected');
    publish(documentOf(PIN_A), claimsOf(1));
    await serve(port);
    await until(() => expect([pinInForce(), codes()]).toEqual([keyOf(PIN_A), []]));
  });
});

describe('what is refused, with what is in force as it was', () => {
  beforeEach(async () => {
    publish(documentOf(PIN_A), claimsOf(5));
    configure();
    start();
    await until(() => expect(pinInForce()).toBe(keyOf(PIN_A)));
  }, 30_000);

  const refused = async (why: string) => {
    lookAtOnce();
    await until(() => expect(detail('pins.refused')).toContain(why));
    expect(pinInForce()).toBe(keyOf(PIN_A));
    expect(splitKept(readFileSync(at('office.kept')))?.bytes.toString()).toBe(documentOf(PIN_A));
    // And is done with once what is right is there again.
    publish(documentOf(PIN_B), claimsOf(6));
    lookAtOnce();
    await until(() => expect([pinInForce(), codes()]).toEqual([keyOf(PIN_B), []]));
  };

  it('a forged one, by a key that nobody trusts', async () => {
    publish(documentOf(PIN_B), claimsOf(6), stranger);
    await refused('which is not trusted');
  });

  it('a document that was changed under its signature', async () => {
    publish(documentOf(PIN_A), claimsOf(6));
    site.set('/office.json', documentOf(PIN_B));
    await refused('not of this document');
  });

  it('a replayed one', async () => {
    publish(documentOf(PIN_B), claimsOf(4));
    await refused('it is version 4, and version 5 was taken before');
  });

  it('another one of the same version', async () => {
    publish(documentOf(PIN_B), claimsOf(5));
    await refused('version 5 with another content');
  });

  it('an expired one', async () => {
    publish(documentOf(PIN_B), claimsOf(6, { expires: Math.floor(Date.now() / 1000) * 1000 - 1000 }));
    await refused('it expired at');
  });

  it('one of another name', async () => {
    publish(documentOf(PIN_B), claimsOf(6, { name: 'shop' }));
    await refused('it is named shop, and office was expected');
  });

  it('one that the queues do not take, with the file as it was', async () => {
    refusal = 'another tlspin is taking over';
    publish(documentOf(PIN_B), claimsOf(6));
    lookAtOnce();
    await until(() => expect(detail('pins.refused')).toContain('another tlspin is taking over'));
    expect(splitKept(readFileSync(at('office.kept')))?.bytes.toString()).toBe(documentOf(PIN_A));
    refusal = undefined;
    lookAtOnce();
    await until(() => expect([pinInForce(), codes()]).toEqual([keyOf(PIN_B), []]));
  });

  it.each([
    [{ file: 'mine.list', writable: true }, 'cannot be a writable file'],
    [{ file: '/etc/hostname' }, 'has to be in the folder'],
    [{ file: '../other.list' }, 'has to be in the folder'],
  ])('one that has this host read or write other files: %j', async (list, why) => {
    writeFileSync(at('mine.list'), '');
    const document = { version: 1, lists: { theirs: list }, pinsets: [pinsetOf(PIN_B)] };
    publish(JSON.stringify(document), claimsOf(6));
    await refused(why);
    expect(readFileSync(at('mine.list'), 'utf8')).toBe('');
  });

  it('one that is no valid configuration, with its place', async () => {
    publish('{ "version": 1,\n  "pinsets": [{ "name": 7 }] }', claimsOf(6));
    await refused('office.kept:2:');
  });
});

it('a replayed one is refused after a restart too, and one whose end has come stays in force', async () => {
  publish(documentOf(PIN_A), claimsOf(5));
  configure();
  start();
  await until(() => expect(pinInForce()).toBe(keyOf(PIN_A)));
  publish(documentOf(PIN_B), claimsOf(4, { expires: Date.parse('2040-01-01') }));
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * DAY });
  start();
  await until(() => expect(codes()).toEqual(['pins.refused', 'pins.stale']));
  expect(pinInForce()).toBe(keyOf(PIN_A));
});

it('a server that Node does not trust is not asked', async () => {
  publish(documentOf(PIN_A), claimsOf(1));
  configure({ ca: undefined });
  start();
  await until(() => expect(detail('pins.unreachable')).toContain('self-signed certificate'));
  expect(asked).toEqual([]);
});

describe('a kept document', () => {
  const errors = () => {
    const loaded = loadPolicy(at('tlspin.json'));
    return 'errors' in loaded ? loaded.errors.map(({ file, line, text }) => `${file}:${line}: ${text}`) : [];
  };

  it('is believed only with its signature, of a key that is trusted', () => {
    configure();
    expect(errors()).toEqual([]);
    const document = signDocument(Buffer.from(documentOf(PIN_A)), secret, claimsOf(1));
    writeFileSync(at('office.kept'), joinKept(document));
    expect(errors()).toEqual([]);
    writeFileSync(at('office.kept'), joinKept({ ...document, bytes: Buffer.from(documentOf(PIN_B)) }));
    expect(errors()[0]).toContain(`${at('office.kept')}:1: its signature is not of this document`);
    writeFileSync(at('office.kept'), documentOf(PIN_A));
    expect(errors()[0]).toContain('it has no signature behind it');
    rmSync(at('office.kept'));
    expect(existsSync(at('office.kept'))).toBe(false);
  });

  it.each([
    [{ url: 'http://pins.example/office.json' }, 'is no address such as'],
    [{ url: 'https://user:word@pins.example/office.json' }, 'is no address such as'],
    [{ url: 'https://pins.example/' }, '"" is no name of a signed document'],
    [{ trustedKeys: ['RW'] }, 'this is no public key of minisign'],
    [{ every: '0s' }, '"0s" is not a duration'],
    [{ ca: 'nowhere.pem' }, 'cannot read'],
    [{ file: 7 }, 'must be a string, not a number'],
    [{ url: 7 }, 'must be a string, not a number'],
    [{ trustedKeys: [7] }, 'must be a string, not a number'],
  ])('of a section with %j is refused with a sentence', (more, why) => {
    configure(more);
    expect(errors().join('\n')).toContain(why);
  });
});
