import { describe, expect, it } from 'vitest';

import { TEXTS } from '../../../src/cli/ctl/text.ts';
import { Output } from '../../../src/cli/output.ts';

const output = (isTTY: boolean) => new Output({ isTTY, write: () => true }, { TERM: 'xterm' });
const ends = { src_ip: '10.1.0.2', src_port: 45_914, dest_ip: '198.51.100.66', dest_port: 443 };
const verdict = (flow: number, action: string, sni: string) => ({
  timestamp: '2027-01-01T04:15:33.000000+0000',
  flow_id: flow,
  ...ends,
  verdict: { action, reason: action === 'accept' ? 'pin-match' : 'pin-mismatch', pinset: 'bank' },
  tls: { sni },
});
const verdicts = { verdicts: [verdict(12, 'tls-alert', 'www.bank.example'), verdict(1, 'accept', '銀行.example')] };

describe('decisions', () => {
  it('are a table, plain where it goes elsewhere', () => {
    expect(TEXTS['verdicts']!(verdicts, output(false))).toBe(
      [
        'time                  flow  client          server             action     reason        pinset  name',
        '2027-01-01T04:15:33Z  12    10.1.0.2:45914  198.51.100.66:443  tls-alert  pin-mismatch  bank    www.bank.example',
        '2027-01-01T04:15:33Z  1     10.1.0.2:45914  198.51.100.66:443  accept     pin-match     bank    銀行.example',
        '',
      ].join('\n'),
    );
  });

  it('have their colour on a terminal', () => {
    const text = TEXTS['verdicts']!(verdicts, output(true));
    expect(text).toContain('\x1b[31mtls-alert\x1b[39m');
    expect(text).toContain('\x1b[32maccept   \x1b[39m');
    expect(text).toContain('\x1b[2mtime                \x1b[22m');
  });

  it('show names that are harmless for a terminal only', () => {
    const hostile = { verdicts: [verdict(1, 'accept', 'a\x1b[2J\u202eb')] };
    expect(TEXTS['verdicts']!(hostile, output(false))).toContain('a\\x1b[2J\\x202eb');
  });
});

it('where nothing is enforced say what had been done, and addresses of IPv6 are in brackets', () => {
  const { verdict: denied, ...rest } = verdict(3, 'accept', 'www.bank.example');
  const would = { ...rest, src_ip: '2001:db8::2', verdict: { ...denied, would: 'reset' } };
  expect(TEXTS['verdicts']!({ verdicts: [would] }, output(false))).toContain(
    '  [2001:db8::2]:45914  198.51.100.66:443  accept (would: reset)  pin-match ',
  );
  expect(TEXTS['verdicts']!({ verdicts: [would] }, output(true))).toContain('\x1b[33maccept (would: reset)\x1b[39m');
});

describe('flows', () => {
  const flow = {
    flow_id: 7,
    ...ends,
    sni: 'wide.example',
    phase: 'inspecting',
    age_ms: 1_400,
    held: 2,
    pinsets: ['銀'],
  };

  it('are aligned by the columns that characters take', () => {
    const text = TEXTS['flows']!({ flows: [flow, { ...flow, pinsets: ['bank'] }], next: 7 }, output(false));
    expect(text.split('\n').slice(1)).toEqual([
      '7     10.1.0.2:45914  198.51.100.66:443  inspecting  1 s  2     銀       wide.example',
      '7     10.1.0.2:45914  198.51.100.66:443  inspecting  1 s  2     bank     wide.example',
      'there are more: --after 7',
      '',
    ]);
  });

  it('of which there are none are said to be none', () => {
    expect(TEXTS['flows']!({ flows: [], next: null }, output(false))).toBe('no flows\n');
  });
});

it('decisions of which none fits say whom there are some about', () => {
  const others = { names: ['www.bank.example', 'a\x1bb'], pinsets: [] };
  expect(TEXTS['verdicts']!({ verdicts: [], others }, output(false))).toBe(
    'none fits; there are decisions about www.bank.example, a\\x1bb\n',
  );
  expect(TEXTS['verdicts']!({ verdicts: [], others: { names: [], pinsets: [] } }, output(false))).toBe(
    'no decisions yet\n',
  );
});

describe('a reload that is only tried', () => {
  const answer = { dry_run: true, possible: true, error: null, messages: [], changes: null, rules_needed: [] };
  const replay = {
    ...{ replayed: 1_000, would_deny: 812, newly_denied: 800, newly_accepted: 3 },
    denied: [{ sni: 'www.bank.example', dest_ip: '198.51.100.2', pinset: 'bank', key: 'spki-sha256:AA==', count: 812 }],
  };

  it('says what it would make of the decisions of late, and whose they are', () => {
    expect(TEXTS['reload']!({ ...answer, replay }, output(false))).toBe(
      'would deny 812 of the last 1000, of which 800 were let pass; 3 that were denied would pass\n' +
        '  www.bank.example (198.51.100.2) shows spki-sha256:AA==, which the pinset bank denies: 812 times\n',
    );
  });

  it('says where there is nothing to try it with', () => {
    const none = { replayed: 0, would_deny: 0, newly_denied: 0, newly_accepted: 0, denied: [] };
    expect(TEXTS['reload']!({ ...answer, replay: none }, output(false))).toBe(
      'no decision of late rests on a certificate: nothing could be tried\n',
    );
  });
});
