/** `tlspin explain` as a process; what it says is test/runtime/explain/explanation.test.ts. */
import { describe, expect, it, beforeAll } from 'vitest';

import { Output } from '../../src/cli/output.ts';
import { showExplanation } from '../../src/cli/explain/text.ts';
import { explain } from '../../src/runtime/explain/explanation.ts';
import { ROOT } from '../support/built.ts';
import { ensureBuilt, tlspin, tlspinOnTerminal } from '../support/command-line.ts';
import { bank } from '../support/flows.ts';
import { pin, policy } from '../support/policy.ts';
import { tlsSummary, verdictEvent } from '../support/verdict-event.ts';

const FLOWS = `${ROOT}fixtures/flows/`;
const PINNED = `${FLOWS}pinned.json`;
const LEAF = 'spki-sha256:SkR0+T274Sm06wWNZY4r1vrNgqKFFeWpmpOxDarh6uE=';

beforeAll(ensureBuilt, 60_000);

describe('for people', () => {
  it('the flows are listed, with a heading and colours on a terminal alone', async () => {
    const { out } = await tlspin(['explain', `${FLOWS}tickets.pcap`, '-c', PINNED]);
    expect(out).toMatch(
      /^1\t127\.0\.0\.1:\d+\t127\.0\.0\.1:443\twww\.bank\.example\tTLS 1\.2\taccept\tpin-match\tbank\n15\t/,
    );
    const terminal = await tlspinOnTerminal(['explain', `${FLOWS}tickets.pcap`, '-c', PINNED]);
    expect(terminal.out).toMatch(/^\x1b\[2mFLOW {2}CLIENT +SERVER +NAME /);
    const plain = await tlspinOnTerminal(['explain', `${FLOWS}tickets.pcap`, '-c', PINNED], { env: { NO_COLOR: '1' } });
    expect(plain.out).toMatch(/^FLOW {2}CLIENT /);
  });

  it('a flow is told from its verdict to its checks', async () => {
    const { out, status } = await tlspin(['explain', `${FLOWS}tls12.pcap`, '-c', PINNED, '--flow', '1']);
    expect(status).toBe(0);
    expect(out).toContain(
      '\nverdict: accept, pin-match: the server presented what a pin of the pinset names\n' +
        '  pinset bank (enforce), evidence: observed\n',
    );
    expect(out).toContain(`\n  ${LEAF} (path)\n     matches: it is of certificate 1, and decided\n`);
    expect(out).toContain('\n  proofOfPossession (require): holds, ');
    expect(out).toMatch(
      /\n {2}1 \(leaf\): CN=www\.bank\.example, .*\n.*\n {5}spki-sha256:.*\n {5}cert-sha256:.*\n {5}cert-sha1:/,
    );
  });

  it('what a running engine would have asked is said', async () => {
    const { out } = await tlspin(['explain', `${FLOWS}tls13.pcap`, '-c', PINNED, '--flow', '1']);
    expect(out).toContain('\n  "tls13" is "probe" (bank)\n');
    expect(out).toContain('a running engine would probe the server');
  });
});

it('where another key is shown, the line that would let it pass is there', async () => {
  const { out } = await tlspin(['explain', `${FLOWS}forged.pcap`, '-c', PINNED, '--flow', '1']);
  const line = /\nwhere that key is genuine, into "pins" of the pinset "bank":\n {2}(\{.*\}),\n$/.exec(out)?.[1];
  expect(JSON.parse(line ?? '')).toMatchObject({ pin: expect.stringMatching(/^spki-sha256:/) as string, at: 'leaf' });
  const genuine = await tlspin(['explain', `${FLOWS}tls12.pcap`, '-c', PINNED, '--flow', '1']);
  expect(genuine.out).not.toContain('where that key');
});

it('as JSON it is the record and its explanation', async () => {
  const { out } = await tlspin(['explain', `${FLOWS}forged.pcap`, '-c', PINNED, '--flow', '1', '--json']);
  expect(JSON.parse(out)).toMatchObject({
    record: { verdict: { reason: 'pin-mismatch' } },
    verdict: { reason: 'pin-mismatch' },
    judged: [{ pinset: 'bank' }],
  });
});

it('what peers chose is made harmless, and what is long has an end', () => {
  let text = '';
  const out = new Output({ isTTY: false, write: (part) => (text += part) });
  const pins = Array.from({ length: 50 }, (_, index) => pin('key', `rsa:${`${index}`.padStart(2, '0').repeat(60)}`));
  const event = verdictEvent({
    reason: 'parse-error',
    fault: 'tls.\x1b[2J',
    tls: tlsSummary({ sni: 'a\x1b]0;x\x07.example' }),
  });
  const notes = ['the configuration has changed since'];
  const explanation = explain(
    event,
    policy({
      pinsets: [{ ...bank({ pins }), match: { hosts: [], exempt: [], addresses: [], ports: [], clients: [] } }],
    }),
  );
  showExplanation(explanation, { flow: 'flow 1', isDecided: false, notes }, out);
  expect(text).toMatch(
    /^flow 1: .*, a\\x1b\]0;x\\x07\.example, TLS 1\.2\nnot decided yet\n {2}what was wrong: tls\.\\x1b\[2J\n {2}the configuration/,
  );
  expect(text).not.toContain('\x1b');
  expect(text).toContain('\n  and 10 more pins\n');
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(120);
});

it('flows that there are not, captures and configurations that cannot be had: exit status 1', async () => {
  const capture = `${FLOWS}tls12.pcap`;
  expect(await tlspin(['explain', capture, '-c', PINNED, '--flow', '7'])).toEqual({
    status: 1,
    out: '',
    err: expect.stringMatching(`error: there is no flow 7 in ${capture}: there are 1\n$`),
  });
  expect(await tlspin(['explain', 'absent.pcap', '-c', PINNED])).toMatchObject({
    status: 1,
    err: expect.stringMatching(/error: absent.pcap: cannot be read: ENOENT \(there is no such file\)\n$/),
  });
  expect(await tlspin(['explain', capture, '-c', 'absent.json'])).toMatchObject({
    status: 1,
    err: expect.stringMatching(/error: absent.json is no valid configuration: nothing can be explained by it\n$/),
  });
  expect((await tlspin(['explain', capture, '-c', PINNED, '--flow', 'x'])).status).toBe(2);
  // What comes before the damage is explained all the same.
  const cut = await tlspin(['explain', `${FLOWS}cut.pcap`, '-c', PINNED, '--flow', '1']);
  expect([cut.status, cut.out.startsWith('flow 1: ')]).toEqual([1, true]);
});
