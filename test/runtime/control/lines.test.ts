import fc from 'fast-check';
import { expect, it } from 'vitest';

import { LineReader } from '../../../src/runtime/control/lines.ts';

/** The lines of a text that comes in pieces. */
function read(pieces: readonly string[], limit = 100) {
  const reader = new LineReader(limit);
  const lines = pieces.flatMap((piece) => reader.feed(Buffer.from(piece)));
  return { lines, reader };
}

it('a line ends with a newline, with or without a carriage return', () => {
  expect(read(['a\nb\r\n\nc']).lines).toEqual(['a', 'b', '']);
});

it('what was begun and not ended is told at the end', () => {
  const { reader } = read(['a\nb']);
  expect([reader.isPartial, reader.end(), reader.end()]).toEqual([true, 'b', undefined]);
});

it('cut anywhere it is the same', () => {
  const text = '{"command":"status"}\r\n\nüöä\nlast';
  fc.assert(
    fc.property(fc.array(fc.nat(Buffer.byteLength(text)), { maxLength: 5 }), (cuts) => {
      const octets = Buffer.from(text);
      const reader = new LineReader(100);
      const places = [0, ...cuts.sort((a, b) => a - b), octets.length];
      const lines = places.slice(1).flatMap((end, i) => reader.feed(octets.subarray(places[i], end)));
      expect([...lines, reader.end()]).toEqual(['{"command":"status"}', '', 'üöä', 'last']);
    }),
  );
});

it('a line of more octets than allowed ends the reading, and nothing of it is kept', () => {
  expect(read(['x'.repeat(100), '\n']).lines).toHaveLength(1);
  const { lines, reader } = read(['a\n', 'x'.repeat(60), 'x'.repeat(41), '\nb\n']);
  expect([lines, reader.isTooLong, reader.end()]).toEqual([['a'], true, undefined]);
  const whole = read([`a\n${'x'.repeat(101)}\nb\n`]);
  expect([whole.lines, whole.reader.isTooLong]).toEqual([['a'], true]);
});
