/**
 * Handshakes with the bank's genuine chain and one thing wrong with each: pinned, none of them may pass but those that a
 * client takes as they are. What exactly is said of each lies in one file, beside the captures.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import type { FlowEvent, VerdictEvent } from '../src/judge/events.ts';
import { loadPolicy } from '../src/pins/load.ts';
import { inspectCapture } from '../src/runtime/offline.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const EXPECTED = `${FIXTURES}malformed/expected.json`;

/** Why a capture may pass although something is odd about it. */
const HARMLESS: Readonly<Record<string, string>> = {
  'client-hello-name-with-nul': 'what comes before it is nobody’s name',
  'client-hello-name-with-space': 'no host is called that, so no pinset is asked for',
  'client-hello-twice': 'only the client can say it, and both say the same',
  'record-heartbeat': 'RFC 6520 allows it at any time',
};

const loaded = loadPolicy(`${FIXTURES}flows/pinned.json`);
const captures = readdirSync(`${FIXTURES}malformed`).filter((name) => name.endsWith('.pcap'));

async function verdictOf(path: string): Promise<VerdictEvent> {
  if (!('policy' in loaded)) throw new Error('the configuration is not valid');
  const events: FlowEvent[] = [];
  await inspectCapture({ path, policy: loaded.policy, checksums: false, onEvent: (event) => events.push(event) });
  const verdicts = events.filter((event) => event.kind === 'verdict');
  expect(verdicts).toHaveLength(1);
  return verdicts[0]!;
}

test('the handshake that they are made of passes', async () => {
  expect(await verdictOf(`${FIXTURES}flows/static-rsa.pcap`)).toMatchObject({ action: 'accept', reason: 'pin-match' });
});

describe('malformed', () => {
  const seen: Record<string, unknown> = {};

  test.each(captures)('%s', async (file) => {
    const name = file.replace('.pcap', '');
    const { action, reason, fault, tls } = await verdictOf(`${FIXTURES}malformed/${file}`);
    expect(action === 'accept').toBe(name in HARMLESS);
    seen[name] = { action, reason, fault, sni: tls?.sni ?? null, certificates: tls?.certificates.length ?? 0 };
  });

  test('what is said of each is what was said of it', () => {
    if (process.env.UPDATE_EXPECTED === '1') writeFileSync(EXPECTED, `${JSON.stringify(seen, null, 2)}\n`);
    expect(seen).toEqual(JSON.parse(readFileSync(EXPECTED, 'utf8')));
  });
});
