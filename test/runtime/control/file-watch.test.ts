/** Real files; the clock that says when to look is made up. */
import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { FileWatch } from '../../../src/runtime/control/file-watch.ts';

let directory: string;
let watch: FileWatch | undefined;
let told: number;
let paths: string[];

beforeEach(() => {
  vi.useFakeTimers();
  directory = mkdtempSync(join(tmpdir(), 'tlspin-watch-'));
  told = 0;
  paths = [at('tlspin.json'), at('0.list')];
  for (const path of paths) write(path, 'old');
  watch = new FileWatch({ paths: () => paths, onChange: () => void told++, interval: 100 });
});
afterEach(() => {
  watch!.stop();
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const at = (name: string) => join(directory, name);
let written = 0;
/** Each time with another date: real clocks may stand still between two writes. */
function write(path: string, text: string): void {
  writeFileSync(path, text);
  utimesSync(path, 1_000_000 + ++written, 1_000_000 + written);
}
const look = (times = 1) => vi.advanceTimersByTime(times * 100);

it('files that keep still are not told of', () => {
  look(10);
  expect(told).toBe(0);
});

it.each([
  ['the document', 'tlspin.json'],
  ['what it refers to', '0.list'],
])('a change of %s is told of once, when the file has kept still between two looks', (_, name) => {
  write(at(name), 'new');
  look();
  expect(told).toBe(0);
  look();
  expect(told).toBe(1);
  look(10);
  expect(told).toBe(1);
});

it('a file that is being written, and several that belong together, are told of when the last piece has come', () => {
  write(at('tlspin.json'), 'a piece');
  look();
  write(at('tlspin.json'), 'a piece and another');
  look();
  write(at('0.list'), 'and the list');
  look();
  expect(told).toBe(0);
  look(5);
  expect(told).toBe(1);
});

it('a change is seen that leaves size and date as they were, as a rename does', () => {
  const { atimeMs, mtimeMs } = statSync(at('0.list'));
  writeFileSync(at('0.list.new'), 'new');
  utimesSync(at('0.list.new'), atimeMs / 1000, mtimeMs / 1000);
  renameSync(at('0.list.new'), at('0.list'));
  look(2);
  expect(told).toBe(1);
});

it('a file that goes is told of, and one that comes', () => {
  rmSync(at('0.list'));
  look(2);
  expect(told).toBe(1);
  write(at('0.list'), 'old');
  look(2);
  expect(told).toBe(2);
});

it('what was changed and changed back in between is told of all the same: it may have been read', () => {
  write(at('0.list'), 'new');
  write(at('0.list'), 'old');
  look(2);
  expect(told).toBe(1);
});

it('what whoever watches has read or written itself is not told of', () => {
  write(at('0.list'), 'our own');
  watch!.settle();
  look(5);
  expect(told).toBe(0);
});

it('which files there are may change: what is watched now counts', () => {
  paths = [at('tlspin.json'), at('1.list')];
  watch!.settle();
  write(at('0.list'), 'nobody reads it any more');
  look(5);
  expect(told).toBe(0);
  write(at('1.list'), 'new');
  look(2);
  expect(told).toBe(1);
});

it('after its end nothing is told', () => {
  watch!.stop();
  write(at('0.list'), 'new');
  look(5);
  expect(told).toBe(0);
});
