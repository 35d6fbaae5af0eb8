import { describe, expect, it } from 'vitest';

import { TEXTS } from '../../../src/cli/ctl/text.ts';
import { Output } from '../../../src/cli/output.ts';

const output = (isTTY: boolean) => new Output({ isTTY, write: () => true }, { TERM: 'xterm' });
const verdict = (flow: number, action: string, sni: string) => ({
  time: '2027-01-01T04:15:33.000000+0000',
  flow,
  src_ip: '10.1.0.2',
  src_port: 45_914,
  dest_ip: '198.51.100.66',
  dest_port: 443,
  action,
  reason: action === 'accept' ? 'pin-match' : 'pin-mismatch',
  pinset: 'bank',
  sni,
});
const verdicts = { verdicts: [verdict(12, 'tls-alert', 'www.bank.example'), verdict(1, 'accept', '銀行.example')] };

describe('decisions', () => {
  it('are a table, plain where it goes elsewhere', () => {
    expect(TEXTS['verdicts']!(verdicts, output(false))).toBe(
      [
        'time      flow  client          server             action     reason        pinset  name',
        '04:15:33  12    10.1.0.2:45914  198.51.100.66:443  tls-alert  pin-mismatch  bank    www.bank.example',
        '04:15:33  1     10.1.0.2:45914  198.51.100.66:443  accept     pin-match     bank    銀行.example',
        '',
      ].join('\n'),
    );
  });

  it('have their colour on a terminal', () => {
    const text = TEXTS['verdicts']!(verdicts, output(true));
    expect(text).toContain('\x1b[31mtls-alert\x1b[39m');
    expect(text).toContain('\x1b[32maccept   \x1b[39m');
    expect(text).toContain('\x1b[2mtime    \x1b[22m');
  });

  it('show names that are harmless for a terminal only', () => {
    const hostile = { verdicts: [verdict(1, 'accept', 'a\x1b[2J\u202eb')] };
    expect(TEXTS['verdicts']!(hostile, output(false))).toContain('a\\x1b[2J\\x202eb');
  });
});

describe('flows', () => {
  const flow = {
    ...verdict(7, 'accept', 'wide.example'),
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
