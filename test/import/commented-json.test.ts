import fc from 'fast-check';
import { parse } from 'jsonc-parser';
import { expect, it } from 'vitest';

import { Commented, commentedJson } from '../../src/import/commented-json.ts';

it('is the same value, with whatever comments', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('*/', '//', 'a\nb', '\u2028"', '\r"x": 1,'));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
      fc.array(tie('element'), { maxLength: 4 }),
      fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        tie('element'),
        { maxKeys: 4 },
      ),
    ),
    element: fc.oneof(
      tie('value'),
      fc.tuple(tie('value'), fc.array(text, { maxLength: 2 })).map(([inner, above]) => new Commented(inner, above)),
    ),
  }));
  fc.assert(
    fc.property(value, fc.array(text, { maxLength: 2 }), (inner, above) => {
      const made = commentedJson(new Commented(inner, above));
      const problems: unknown[] = [];
      expect(parse(made, problems as never)).toEqual(bare(inner));
      expect(problems).toEqual([]);
    }),
  );
});

function bare(value: unknown): unknown {
  if (value instanceof Commented) return bare(value.value);
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, bare(element)]));
}

it('says it above the value', () => {
  expect(commentedJson({ a: [1, new Commented({ b: 2 }, ['two\nlines'])], c: undefined })).toBe(`{
  "a": [
    1,
    // two
    // lines
    { "b": 2 }
  ]
}`);
});
