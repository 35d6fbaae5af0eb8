import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { jsonText, printable, printableLines, visibleJson } from '../../src/bytes/invisible.ts';

/** A terminal's commands in seven and eight bits, what turns the direction of text, what takes no room. */
const COMMANDS = '\x1b]0;x\x07\x9b2J\x9d0;t\x9c\x7f';
const UNSEEN = '\u202e\u2066\u061c\u2060\u00ad\ufeff\u200b\u2028\u{e0001}\u{e000}\u115f\ufe0f';

const holdsNothingUnseen = /^[^\p{C}\p{Zl}\p{Zp}\p{DI}]*$/u;

describe('what peers chose', () => {
  it('reaches no terminal as a command', () => {
    expect(printable('a\x1b]0;x\x07b\u202ec')).toBe('a\\x1b]0;x\\x07b\\x202ec');
    expect(printable('line\n')).toBe('line\\x0a');
    expect(printable(COMMANDS + UNSEEN)).toMatch(holdsNothingUnseen);
    expect(printableLines('one\x9b\ntwo\x7f')).toBe('one\\x9b\ntwo\\x7f');
  });

  it('nor as JSON, which says the same', () => {
    const value = { sni: `a${COMMANDS}`, [UNSEEN]: '銀行' };
    expect(jsonText({ sni: 'a\x1b[2J\x9b2J\x7f\u202eb', 名: '銀行' })).toBe(
      '{"sni":"a\\u001b[2J\\u009b2J\\u007f\\u202eb","名":"銀行"}',
    );
    expect(jsonText('\u{e0001}')).toBe('"\\udb40\\udc01"');
    expect(jsonText(value)).toMatch(holdsNothingUnseen);
    expect(JSON.parse(jsonText(value, 2))).toEqual(value);
  });

  it('whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).toMatch(holdsNothingUnseen);
        const line = visibleJson(`${JSON.stringify(text)}\n`);
        expect(line.slice(0, -1)).toMatch(holdsNothingUnseen);
        expect(JSON.parse(line)).toBe(text);
      }),
    );
  });
});
