import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ROOT } from '../support/built.ts';
import { ensureBuilt, tlspin, tlspinOnTerminal } from '../support/command-line.ts';

const FLOWS = `${ROOT}fixtures/flows/`;
const PINNED = `${FLOWS}pinned.json`;
const LEAF = 'spki-sha256:SkR0+T274Sm06wWNZY4r1vrNgqKFFeWpmpOxDarh6uE=';
const INTER = 'spki-sha256:JVSyOlSecB2Tq9RisevCFGQKqP9CxiffPYcIdrKQQdw=';
const NONE = `spki-sha256:${Buffer.alloc(32, 9).toString('base64')}`;
const folder = mkdtempSync(join(tmpdir(), 'tlspin-explain-'));

beforeAll(ensureBuilt, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

function config(document: object): string {
  const path = join(folder, 'tlspin.json');
  writeFileSync(path, JSON.stringify({ version: 1, ...document }));
  return path;
}

async function explained(capture: string, file: string, flow = 1) {
  const { status, out } = await tlspin(['explain', FLOWS + capture, '-c', file, '--flow', String(flow), '--json']);
  expect(status).toBe(0);
  return JSON.parse(out);
}

describe('why', () => {
  it('a forged certificate is refused: each pin, and what it was compared with', async () => {
    const { record, judged, pinsets } = await explained('forged.pcap', PINNED);
    expect(record.verdict).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
    expect(pinsets).toEqual([{ pinset: 'bank', chosenAs: 'host', why: '"**.bank.example" covers www.bank.example' }]);
    expect(judged[0].pins).toEqual([
      { pin: LEAF, at: 'path', role: 'primary', equals: [], counts: false, but: null },
      { pin: INTER, at: 'path', role: 'backup', equals: [], counts: false, but: null },
    ]);
  });

  it('a genuine one is accepted: pins, checks and proof', async () => {
    const { certificates, judged, situation } = await explained('tls12.pcap', PINNED);
    expect(certificates).toHaveLength(2);
    expect(judged[0].reason).toBe('pin-match');
    expect(judged[0].pins.map((pin: { equals: number[]; counts: boolean }) => [pin.equals, pin.counts])).toEqual([
      [[0], true],
      [[1], true],
    ]);
    expect(judged[0].checks).toContainEqual({
      check: 'proofOfPossession',
      value: 'require',
      outcome: 'holds',
      detail: 'the key exchange is signed with the key of the leaf',
    });
    expect(situation).toBeNull();
  });

  it('a pin does not count where it does not stand, or not any more', async () => {
    const pins = [
      { pin: LEAF, at: 'ca' },
      { pin: INTER, at: 'leaf' },
      { pin: LEAF, expires: '2020-01-01' },
    ];
    const file = config({ pinsets: [{ name: 'bank', match: { hosts: ['www.bank.example'] }, pins: [...pins, NONE] }] });
    const { judged, record } = await explained('tls12.pcap', file);
    expect(record.verdict.reason).toBe('pin-mismatch');
    expect(judged[0].pins.map(({ equals, counts, but }: Record<string, unknown>) => [equals, counts, but])).toEqual([
      [[0], false, 'it holds above the leaf only'],
      [[1], false, 'it holds for the leaf only'],
      [[0], false, 'it expired on 2020-01-01'],
      [[], false, null],
    ]);
  });

  it('a name or a date was not enough, where the pin is above the leaf', async () => {
    const pinset = { name: 'bank', match: { addresses: ['127.0.0.1'] }, pins: [INTER], names: ['other.example'] };
    const { judged, record } = await explained('no-sni.pcap', config({ pinsets: [pinset] }));
    expect(record.verdict.reason).toBe('name-mismatch');
    expect(judged[0].checks[0]).toEqual({
      check: 'name',
      value: 'auto',
      outcome: 'fails',
      detail: 'the leaf does not carry other.example',
    });
  });

  it('a pinset was chosen and the others were not', async () => {
    const pins = [NONE];
    const pinset = (name: string, match?: object) => ({ name, match, pins });
    const file = config({
      pinsets: [
        pinset('exact', { hosts: ['www.bank.example'] }),
        pinset('wide', { hosts: ['**.bank.example'] }),
        pinset('address', { addresses: ['127.0.0.0/8'] }),
        pinset('elsewhere', { addresses: ['192.0.2.0/24'] }),
        pinset('others', { hosts: ['shop.example'] }),
        pinset('port', { hosts: ['*.bank.example'], ports: [8443, '9000-9001'] }),
        pinset('client', { hosts: ['*.bank.example'], clients: ['10.0.0.0/8'] }),
        pinset('rest'),
        { name: 'blocked', deny: [LEAF] },
      ],
    });
    const { pinsets, judged, record } = await explained('tls12.pcap', file);
    expect(record.verdict).toMatchObject({ reason: 'deny-pin', pinset: 'blocked' });
    expect(pinsets.map((one: Record<string, string>) => [one['pinset'], one['chosenAs'], one['why']])).toEqual([
      ['exact', 'host', 'it names www.bank.example'],
      ['wide', null, '"exact" is more specific: it names www.bank.example'],
      ['address', 'address', '127.0.0.0/8 contains 127.0.0.1'],
      ['elsewhere', null, 'its addresses do not contain 127.0.0.1'],
      ['others', null, 'its hosts do not cover www.bank.example'],
      ['port', null, 'port 443 is not among its ports (8443, 9000-9001)'],
      ['client', null, 'its clients do not contain 127.0.0.1'],
      ['rest', null, 'it is for flows that no other pinset selects'],
      ['blocked', 'deny', 'a deny list; it is for every server'],
    ]);
    expect(judged.map(({ pinset: name, denied }: Record<string, string>) => [name, denied])).toEqual([
      ['address', null],
      ['exact', null],
      ['blocked', LEAF],
    ]);
  });

  it('a rule was true', async () => {
    const sha1 = (await explained('tls12.pcap', PINNED)).record.tls.certificates[1].sha1;
    const file = config({
      lists: { 0: { entries: [sha1] }, 1: { entries: ['00'.repeat(20)] } },
      rules: [
        { fpl: '1', verdict: 'drop' },
        { fpl: '0', verdict: 'reset' },
      ],
    });
    const { rules } = await explained('tls12.pcap', file);
    expect(rules).toEqual([
      { rule: 'fpl 1', matches: false, verdict: 'drop' },
      { rule: 'fpl 0', matches: true, verdict: 'reset' },
    ]);
  });

  it.each([
    ['tls13.pcap', 1, 'tls13', 'bank', 'probe'],
    ['tickets.pcap', 2, 'resumed', 'bank', 'bound-else-probe'],
    ['clear.pcap', 1, 'notTls', 'unpinned', 'accept'],
  ])('no certificate could decide: %s, flow %i', async (capture, flow, key, of, value) => {
    const { situation } = await explained(capture, PINNED, flow);
    expect(situation).toEqual({ key, values: [{ of, value }] });
  });
});

describe('for people', () => {
  it('the flows are listed, with a heading and colours on a terminal alone', async () => {
    const { out } = await tlspin(['explain', `${FLOWS}tickets.pcap`, '-c', PINNED]);
    expect(out).toMatch(
      /^1\t127\.0\.0\.1:\d+\t127\.0\.0\.1:443\twww\.bank\.example\tTLS 1\.2\taccept\tpin-match\tbank\n2\t/,
    );
    const terminal = await tlspinOnTerminal(['explain', `${FLOWS}tickets.pcap`, '-c', PINNED]);
    expect(terminal.out).toMatch(/^\x1b\[2mFLOW {2}CLIENT +SERVER +NAME /);
    const plain = await tlspinOnTerminal(['explain', `${FLOWS}tickets.pcap`, '-c', PINNED], { env: { NO_COLOR: '1' } });
    expect(plain.out).toMatch(/^FLOW {2}CLIENT /);
  });

  it('a flow is told from its verdict to its checks', async () => {
    const { out, status } = await tlspin(['explain', `${FLOWS}tls12.pcap`, '-c', PINNED, '--flow', '1']);
    expect(status).toBe(0);
    expect(out).toContain('\nverdict: accept, pin-match, pinset bank (enforce), evidence: observed\n');
    expect(out).toContain(`\n  ${LEAF} (path)\n     matches: it is of certificate 1, and decided\n`);
    expect(out).toContain('\n  proofOfPossession (require): holds, ');
  });

  it('what a running engine would have asked is said', async () => {
    const { out } = await tlspin(['explain', `${FLOWS}tls13.pcap`, '-c', PINNED, '--flow', '1']);
    expect(out).toContain('a running engine would probe the server');
  });
});

it('flows that there are not, captures and configurations that cannot be had: exit status 1', async () => {
  const capture = `${FLOWS}tls12.pcap`;
  expect(await tlspin(['explain', capture, '-c', PINNED, '--flow', '7'])).toEqual({
    status: 1,
    out: '',
    err: `error: there is no flow 7 in ${capture}: there are 1\n`,
  });
  expect(await tlspin(['explain', 'absent.pcap', '-c', PINNED])).toMatchObject({
    status: 1,
    err: 'error: absent.pcap: cannot be read: ENOENT\n',
  });
  expect((await tlspin(['explain', capture, '-c', 'absent.json'])).status).toBe(1);
  expect((await tlspin(['explain', capture, '-c', PINNED, '--flow', 'x'])).status).toBe(2);
  // What comes before the damage is explained all the same.
  const cut = await tlspin(['explain', `${FLOWS}cut.pcap`, '-c', PINNED, '--flow', '1']);
  expect([cut.status, cut.out.startsWith('flow 1: ')]).toEqual([1, true]);
});
