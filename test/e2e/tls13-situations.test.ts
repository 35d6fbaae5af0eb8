/**
 * What a configuration may say where the certificate is not to be seen: whether a server is asked, what is done when it
 * does not answer, and what resumed sessions, raw public keys and encrypted hellos come to.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { beforeAll, describe, expect, it } from 'vitest';

import type { Identity } from '../../src/runtime/demo/certificates.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { pinset } from '../support/lab/bank.ts';
import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import type { Face } from '../support/lab/faces.ts';
import { runOpensslClient, selfSigned } from '../support/lab/openssl.ts';
import type { ClientRun } from '../support/lab/openssl.ts';
import { requestWithCurl, requestWithNode, TcpClient } from '../support/lab/peers.ts';
import type { NodeOutcome, Outcome, Request } from '../support/lab/peers.ts';
import { startRelayed } from '../support/lab/relayed.ts';
import { clientHelloOf } from '../support/memory-tls.ts';
import { ScriptedServer, withExtension } from '../support/scripted-server.ts';
import { extension, handshake, readFlight, record, vector16, vector8 } from '../support/tls-bytes.ts';
import { certificate13, encryptedExtensions } from '../support/tls13-bytes.ts';

/** One host a situation: each has a pinset that says nothing else. */
const SITUATIONS = {
  'probe.bank.example': {},
  'else.bank.example': { tls13: 'probe-else-accept' },
  'deny.bank.example': { tls13: 'deny' },
  'accept.bank.example': { tls13: 'accept' },
  'report.bank.example': { tls13: 'probe', mode: 'report-only' },
  'report-deny.bank.example': { tls13: 'deny', mode: 'report-only' },
  'no-raw.bank.example': { rawPublicKey: 'deny' },
  'any-raw.bank.example': { rawPublicKey: 'accept' },
  'no-ech.bank.example': { ech: 'deny' },
  'any-ech.bank.example': { ech: 'accept' },
  'bound.bank.example': { resumed: 'bound' },
} as const;
type Host = keyof typeof SITUATIONS;
const UNPINNED = 'shop.example';
/** A genuine server's port; the forged one's is behind it. */
const PORT = { plain: 4430, silenced: 4432, old: 4434, tickets: 4436, scripted: 4460 };
/** The gateway, as the server sees it. */
const GATEWAY = '198.51.100.1';

let key: Identity;
let otherKey: Identity;
beforeAll(async () => {
  const names = [...Object.keys(SITUATIONS), UNPINNED];
  await openScene(
    () => {
      const curve = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
      [key, otherKey] = [
        selfSigned(lab.directory, 'key', 'raw', curve),
        selfSigned(lab.directory, 'other-key', 'raw', curve),
      ];
      const pins = [bank.pin, spkiPin(key.cert)];
      return {
        pinsets: [
          ...Object.entries(SITUATIONS).map(([host, situations]) =>
            pinset({ name: host.split('.')[0], match: { hosts: [host] }, pins, ...situations }),
          ),
          { name: 'stolen', match: { hosts: [UNPINNED] }, deny: [spkiPin(bank.forged.cert)] },
        ],
        unpinned: { tls13: 'probe' },
        log: { unpinned: true },
        ports: ['4430-4499'],
        probe: { recheck: 0, perDestination: 600, perClient: 600 },
      };
    },
    { names },
  );
  const pair = (port: number, options: Partial<Face>, first: readonly Face[] = []) => ({
    [port]: [...first, { ...bank.genuineChain, ...options }],
    [port + 1]: [...first, { ...bank.forgedChain, ...options }],
  });
  await openFaces({
    ...pair(PORT.plain, {}),
    ...pair(PORT.silenced, {}, [{ from: GATEWAY, does: 'reset' }]),
    ...pair(PORT.old, { maxVersion: 'TLSv1.2' }),
    ...pair(PORT.tickets, { maxVersion: 'TLSv1.2' }),
  });
});

const to = (servername: Host | typeof UNPINNED, port: number): Request => requestTo(port, { servername });
const curl = (host: Host | typeof UNPINNED, port: number): Promise<Outcome> =>
  requestWithCurl(lab, 'client', to(host, port));
const probes = (): number => faces.connections().filter((from) => from === GATEWAY).length;

const DENIED = /alert|ALERT|bad certificate|access denied/;
function expectDenied(outcome: Outcome): void {
  expect(outcome.bytes).toBe(0);
  expect(outcome.error).toMatch(DENIED);
}

describe('probe-else-accept', () => {
  it('is a probe where the server answers it', async () => {
    expect(await curl('else.bank.example', PORT.plain)).toMatchObject({ error: null });
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'accept', reason: 'probe-match' });
    scene.begin();
    expectDenied(await curl('else.bank.example', PORT.plain + 1));
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-mismatch' });
  });

  it.each([
    ['genuine', 0],
    ['forged', 1],
  ])('lets pass whatever does not answer it: %s', async (_, at) => {
    expect(await curl('else.bank.example', PORT.silenced + at)).toMatchObject({ error: null });
    expect((await scene.verdict()).verdict).toMatchObject({
      action: 'accept',
      reason: 'probe-failed',
      evidence: 'none',
      fault: expect.stringMatching(/^probe\.closed/) as string,
    });
  });

  it('where `probe` denies', async () => {
    expectDenied(await curl('probe.bank.example', PORT.silenced));
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-failed' });
  });
});

describe('deny and accept', () => {
  it('deny: no TLS 1.3, whoever the server is, and nobody is asked', async () => {
    const outcome = await curl('deny.bank.example', PORT.plain);
    expectDenied(outcome);
    expect(outcome.error).toMatch(/access denied/);
    expect((await scene.verdict()).verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'no-certificate',
      evidence: 'none',
    });
    expect(probes()).toBe(0);
  });

  it('accept: whoever the server is, and nobody is asked', async () => {
    expect(await curl('accept.bank.example', PORT.plain + 1)).toMatchObject({ error: null });
    expect((await scene.verdict()).verdict).toMatchObject({
      action: 'accept',
      reason: 'no-certificate',
      evidence: 'none',
    });
    expect(probes()).toBe(0);
  });

  it.each(['deny.bank.example', 'accept.bank.example'] as const)(
    '%s: a server that has no more than TLS 1.2 is judged by its certificate',
    async (host) => {
      expect(await curl(host, PORT.old)).toMatchObject({ error: null });
      expect((await scene.verdict()).verdict).toMatchObject({ reason: 'pin-match', evidence: 'observed' });
      scene.begin();
      expectDenied(await curl(host, PORT.old + 1));
      expect((await scene.verdict()).verdict).toMatchObject({ reason: 'pin-mismatch', evidence: 'observed' });
    },
  );
});

describe('report-only', () => {
  it.each([
    ['report.bank.example', 'probe-mismatch', 'probed'],
    ['report-deny.bank.example', 'no-certificate', 'none'],
  ] as const)('%s lets the forged server pass and says what would have been', async (host, reason, evidence) => {
    expect(await curl(host, PORT.plain + 1)).toMatchObject({ error: null });
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'accept', would: 'tls-alert', reason, evidence });
  });
});

describe('a deny list, where those are probed that no pinset is for', () => {
  it('sees what it is to refuse', async () => {
    expectDenied(await curl(UNPINNED, PORT.plain + 1));
    expect((await scene.verdict()).verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'deny-pin',
      pinset: 'stolen',
      evidence: 'probed',
    });
  });

  it('and lets pass what is not on it', async () => {
    expect(await curl(UNPINNED, PORT.plain)).toMatchObject({ error: null });
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'accept', reason: 'unpinned', evidence: 'probed' });
  });
});

/** As every client does, with what it was handed out by a server that the gateway had no part in. */
async function sessionFrom(host: Host, port: number, ...args: string[]): Promise<string> {
  const file = lab.path(`session-${host}-${port}`);
  const options = { address: lab.address('server'), port, servername: host, args: ['-sess_out', file, ...args] };
  expect(await runOpensslClient(lab, 'server', options)).toMatchObject({ answered: true });
  faces.forget();
  return file;
}
function resume(host: Host, port: number, session: string, ...args: string[]): Promise<ClientRun> {
  const options = { address: lab.address('server'), port, servername: host, args: ['-sess_in', session, ...args] };
  return runOpensslClient(lab, 'client', options);
}
const twice = (host: Host, port: number, options: object = {}): Promise<NodeOutcome[]> =>
  requestWithNode(lab, 'client', { ...to(host, port), requests: 2, ...options });

describe('a session of TLS 1.3 that is resumed, of which only the server knows the certificate', () => {
  it('goes on with the genuine server, after a whole handshake of the probe’s own', async () => {
    const run = await resume('probe.bank.example', PORT.plain, await sessionFrom('probe.bank.example', PORT.plain));
    expect(run).toMatchObject({ answered: true, resumed: true });
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'accept', reason: 'probe-match' });
    expect(faces.events.filter(({ event, from }) => event === 'secure' && from !== GATEWAY)).toMatchObject([
      { resumed: true },
    ]);
  });

  it('Node: the second time as the first', async () => {
    expect(await twice('probe.bank.example', PORT.plain)).toMatchObject([
      { error: null, resumed: false, protocol: 'TLSv1.3' },
      { error: null, resumed: true },
    ]);
    expect((await scene.verdicts(2)).map(({ verdict }) => verdict.reason)).toEqual(['probe-match', 'probe-match']);
  });

  it('is denied where the forged server gave it out', async () => {
    const session = await sessionFrom('probe.bank.example', PORT.plain + 1);
    const run = await resume('probe.bank.example', PORT.plain + 1, session);
    expect(run).toMatchObject({ answered: false });
    expect(run.text).toMatch(/alert bad certificate/);
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-mismatch' });
    expect(faces.events.some(({ event, from }) => event === 'secure' && from !== GATEWAY)).toBe(false);
  });

  it('is denied where TLS 1.3 is, and passes where it does', async () => {
    const denied = await sessionFrom('deny.bank.example', PORT.plain);
    expect(await resume('deny.bank.example', PORT.plain, denied)).toMatchObject({ answered: false });
    const accepted = await sessionFrom('accept.bank.example', PORT.plain);
    expect(await resume('accept.bank.example', PORT.plain, accepted)).toMatchObject({ answered: true, resumed: true });
    expect((await scene.verdicts(2)).map(({ verdict }) => `${verdict.action}/${verdict.reason}`)).toEqual([
      'tls-alert/no-certificate',
      'accept/no-certificate',
    ]);
  });
});

describe('a session of TLS 1.2 of which nothing is known', () => {
  describe.each([
    ['a client that knows no TLS 1.3', ['-tls1_2']],
    ['one that does', []],
  ])('%s', (_, args) => {
    it('bound-else-probe asks the server: the genuine one goes on', async () => {
      const session = await sessionFrom('probe.bank.example', PORT.tickets, ...args);
      const run = await resume('probe.bank.example', PORT.tickets, session, ...args);
      expect(run).toMatchObject({ answered: true, resumed: true });
      expect((await scene.verdict()).verdict).toMatchObject({
        action: 'accept',
        reason: 'probe-match',
        evidence: 'probed',
      });
    });

    it('the forged one is denied', async () => {
      const session = await sessionFrom('probe.bank.example', PORT.tickets + 1, ...args);
      expect(await resume('probe.bank.example', PORT.tickets + 1, session, ...args)).toMatchObject({ answered: false });
      expect((await scene.verdict()).verdict).toMatchObject({
        action: 'tls-alert',
        reason: 'probe-mismatch',
        evidence: 'probed',
      });
    });

    it('bound denies it, whosever it is', async () => {
      const session = await sessionFrom('bound.bank.example', PORT.tickets, ...args);
      expect(await resume('bound.bank.example', PORT.tickets, session, ...args)).toMatchObject({ answered: false });
      expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'resumed-unbound' });
    });
  });

  it('one that is known needs no probe', async () => {
    const outcomes = await twice('probe.bank.example', PORT.tickets, { maxVersion: 'TLSv1.2' });
    expect(outcomes).toMatchObject([{ error: null }, { error: null, resumed: true }]);
    expect((await scene.verdicts(2)).map(({ verdict }) => verdict.reason)).toEqual(['pin-match', 'resumed-bound']);
    expect(probes()).toBe(0);
  });
});

/** Servers whose flights are made by hand, to clients that only listen. */
describe('hellos and certificates of other kinds', () => {
  let ports = PORT.scripted;

  async function meet(host: Host, offered: Buffer, messages: readonly Buffer[], signer: Identity): Promise<Buffer> {
    const port = ports++;
    const server = await startRelayed(lab, 'server', port, (socket) => {
      const scripted = new ScriptedServer({ messages, key: createPrivateKey(readFileSync(signer.key)) });
      socket.on('data', (bytes) => void socket.write(scripted.feed(bytes)));
    });
    const hello = withExtension(await clientHelloOf({ servername: host }), offered);
    const send = record(22, handshake(1, hello), 0x0301);
    const client = new TcpClient(lab, 'client', { host: lab.address('server'), port, send, wait: 600 });
    const { received } = await client.outcome();
    server.close();
    return received;
  }

  const raw = (host: Host, shown: Identity): Promise<Buffer> => {
    const spki = new X509Certificate(readFileSync(shown.cert)).publicKey.export({ type: 'spki', format: 'der' });
    const messages = [encryptedExtensions(extension(20, Buffer.from([2]))), certificate13(spki)];
    return meet(host, extension(20, vector8(Buffer.from([2, 0]))), messages, shown);
  };
  const ech = (host: Host, shown: Identity): Promise<Buffer> => {
    const head = Buffer.from([0, 0, 1, 0, 1, 7]);
    const outer = extension(
      0xfe0d,
      Buffer.concat([head, vector16(Buffer.alloc(32, 7)), vector16(Buffer.alloc(144, 9))]),
    );
    const leaf = new X509Certificate(readFileSync(shown.cert)).raw;
    return meet(host, outer, [encryptedExtensions(), certificate13(leaf)], shown);
  };

  /** Description of the alert that came alone; undefined: the server's own flight came. */
  function alertOf(received: Buffer): number | undefined {
    const { handshake: messages, alerts } = readFlight(received);
    expect(messages.length === 0).toBe(alerts.length > 0);
    return alerts[0]?.description;
  }

  it.each([
    ['pin: the pinned key', 'probe.bank.example', () => key, 'accept', 'probe-match', undefined],
    ['pin: another', 'probe.bank.example', () => otherKey, 'tls-alert', 'probe-mismatch', 42],
    ['deny: even the pinned one', 'no-raw.bank.example', () => key, 'tls-alert', 'raw-public-key', 49],
    ['accept: any', 'any-raw.bank.example', () => otherKey, 'accept', 'raw-public-key', undefined],
  ] as const)('a raw public key, %s', async (_, host, shown, action, reason, alert) => {
    expect(alertOf(await raw(host, shown()))).toBe(alert);
    expect((await scene.verdict()).verdict).toMatchObject({ action, reason });
  });

  it.each([
    ['outer-name: the pinned key', 'probe.bank.example', () => key, 'accept', 'probe-match', undefined],
    ['outer-name: another', 'probe.bank.example', () => otherKey, 'tls-alert', 'probe-mismatch', 42],
    ['deny: even the pinned one', 'no-ech.bank.example', () => key, 'tls-alert', 'ech', 49],
    ['accept: any', 'any-ech.bank.example', () => otherKey, 'accept', 'ech', undefined],
  ] as const)('an encrypted hello, %s', async (_, host, shown, action, reason, alert) => {
    expect(alertOf(await ech(host, shown()))).toBe(alert);
    expect((await scene.verdict()).verdict).toMatchObject({ action, reason });
  });
});
