import { describe, expect, it } from 'vitest';

import { readAndroid } from '../../../src/import/android.ts';
import { readChromium } from '../../../src/import/chromium.ts';
import { parseState } from '../../../src/learn/state.ts';
import { DEEPEST, parseJson, tooDeepAt } from '../../../src/pins/document/nesting.ts';
import { load } from '../../support/configuration.ts';

const LEVELS = 100_000;
const lists = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

describe('JSON that nests', () => {
  it('is read down to a depth that nobody needs', () => {
    expect(tooDeepAt(lists(DEEPEST))).toBeUndefined();
    expect(tooDeepAt(lists(DEEPEST + 1))).toBe(DEEPEST);
    expect(tooDeepAt('[{}], '.repeat(LEVELS))).toBeUndefined();
    expect(parseJson('{"a":[1]}')).toEqual({ a: [1] });
  });

  it('counts brackets that are brackets', () => {
    expect(tooDeepAt(JSON.stringify(lists(LEVELS)))).toBeUndefined();
    expect(tooDeepAt(`// ${lists(LEVELS)}\n/* ${lists(LEVELS)} */ []`)).toBeUndefined();
    // A string ends with its line where its mark is missing.
    expect(tooDeepAt(`"\n${lists(LEVELS)}`)).toBe(2 + DEEPEST);
    expect(tooDeepAt(`"\\"" ${'{"a":'.repeat(LEVELS)}`)).toBeDefined();
  });

  const sentence = 'nests deeper than 64 levels';

  it.each([
    ['objects', '{"a":'.repeat(LEVELS)],
    ['lists', `{\n  "version": ${lists(LEVELS)} }`],
    ['both, with comments between', '{"a": /* x */ ['.repeat(LEVELS)],
  ])('in a configuration is refused with its place: %s', (_, text) => {
    expect(load(text).errors).toEqual([expect.stringMatching(new RegExp(`^\\d+:\\d+ it ${sentence}$`))]);
  });

  it('is refused wherever it comes from', () => {
    expect(() => parseJson(lists(LEVELS))).toThrow(sentence);
    expect(() => parseState(`{"version":1,"pinsets":${lists(LEVELS)}}`)).toThrow(sentence);
    const file = (text: string) => ({ name: 'f', text });
    expect(() => readChromium([file('{"pinsets":'.repeat(LEVELS))])).toThrow(`line 1: it ${sentence}`);
    const elements = '<domain-config>'.repeat(2_000) + '</domain-config>'.repeat(2_000);
    const xml = `<network-security-config>${elements}</network-security-config>`;
    expect(() => readAndroid(file(xml))).toThrow(/nest/i);
  });
});
