import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadPolicy } from '../../src/pins/load.ts';
import { formatMessage } from '../../src/pins/document/message.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';

const folder = fileURLToPath(new URL('../../fixtures/pinsets/', import.meta.url));

describe('fixtures/pinsets', () => {
  it.each(['minimal', 'full', 'xt-sslpin'])('%s.json loads without an error or a warning', (name) => {
    const result = loadPolicy(`${folder}${name}.json`);
    expect(result).toMatchObject({ warnings: [] });
    if (!('policy' in result)) throw new Error(result.errors.map(formatMessage).join('\n'));
    const subject = { address: new Uint8Array([198, 51, 100, 7]), port: 443 };
    expect(() =>
      new PinsetSnapshot(result.policy).select({ server: subject, client: subject }, 'github.com'),
    ).not.toThrow();
  });

  it('broken.json is refused with the messages of broken.txt', () => {
    const result = loadPolicy(`${folder}broken.json`);
    const errors = 'errors' in result ? result.errors : [];
    const text = errors.map((message) => `${formatMessage(message).replaceAll(folder, '')}\n`).join('');
    expect(text).toBe(readFileSync(`${folder}broken.txt`, 'utf8'));
  });
});
