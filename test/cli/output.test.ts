import { expect, it } from 'vitest';

import { Output } from '../../src/cli/output.ts';

function shown(isTTY: boolean, environment: Record<string, string>, show: (out: Output) => void): string {
  let text = '';
  show(new Output({ isTTY, write: (part) => (text += part) }, environment));
  return text;
}

const table = (out: Output) =>
  out.table(
    ['A', 'LONG'],
    [
      ['one', 'x'],
      ['é', 'y\x1b[2J'],
    ],
  );

it('colours are for terminals that want them', () => {
  const paint = (out: Output) => out.write(out.paint('bad', 'no'));
  expect(shown(true, {}, paint)).toBe('\x1b[31mno\x1b[39m');
  expect(shown(true, { NO_COLOR: '' }, paint)).toBe('\x1b[31mno\x1b[39m');
  expect(shown(true, { NO_COLOR: '0' }, paint)).toBe('no');
  expect(shown(true, { TERM: 'dumb' }, paint)).toBe('no');
  expect(shown(false, {}, paint)).toBe('no');
});

it('tables are aligned under a heading on a terminal, and lines with tabs elsewhere', () => {
  expect(shown(true, { NO_COLOR: '1' }, table)).toBe('A    LONG\none  x\né    y\\x1b[2J\n');
  expect(shown(false, {}, table)).toBe('one\tx\né\ty\\x1b[2J\n');
});

it('wide characters are aligned as they are wide', () => {
  const rows = (out: Output) =>
    out.table(
      ['A', 'B'],
      [
        ['銀行', 'x'],
        ['ab', 'y'],
      ],
    );
  expect(shown(true, { NO_COLOR: '1' }, rows)).toBe('A     B\n銀行  x\nab    y\n');
});
