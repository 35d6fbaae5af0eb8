/** The demonstration, as the README shows it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, it } from 'vitest';

import { ROOT } from '../support/built.ts';
import { tlspin } from '../support/command-line.ts';

describe('the demonstration', () => {
  let lines: string[];
  beforeAll(async () => {
    const { status, out, err } = await tlspin(['demo']);
    expect([status, err]).toEqual([0, '']);
    lines = out.trimEnd().split('\n');
  });

  it('is what the README shows', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, shown = ''] = /^\$ npm run demo\n([^`]+)\n```$/m.exec(readme) ?? [];
    expect(lines.map(lasting)).toEqual(shown.split('\n').map(lasting));
  });

  it('fits a terminal of 80 columns', () => {
    expect(lines.filter((line) => [...line].length > 80)).toEqual([]);
  });

  it('shows first what a forged server does without it', () => {
    const [unprotected, installed] = ['Without tlspin', 'Now tlspin'].map((start) =>
      lines.findIndex((line) => line.startsWith(start)),
    );
    const page = lines.findIndex((line) => line.includes('got the page: "This is not your bank."'));
    expect(page).toBeGreaterThan(unprotected!);
    expect(page).toBeLessThan(installed!);
  });
});

/** Keys are new each time, and each OpenSSL has its own word for the family of an alert. */
function lasting(line: string): string {
  return line.replace(/[A-Za-z0-9+/]{43}=/, 'KEY').replace(/^( +).*alert bad certificate$/, '$1alert bad certificate');
}
