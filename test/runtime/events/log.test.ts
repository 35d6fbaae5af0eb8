import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import type { FlowEvent } from '../../../src/judge/events.ts';
import { EveLog } from '../../../src/runtime/events/log.ts';
import { policy } from '../../support/policy.ts';
import { verdictEvent } from '../../support/verdict-event.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-log-'));
  path = join(directory, 'verdicts.ndjson');
  said = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

let said: string[] = [];
const open = (loaded = policy()) =>
  new EveLog({ targets: [{ kind: 'file', path }], policy: loaded, say: (line) => void said.push(line) });

const event = (detail: string): FlowEvent => ({
  kind: 'anomaly',
  time: 1_700_000_000_123_456,
  flowId: 7,
  client: null,
  server: null,
  code: 'learn.full',
  detail,
});

const details = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.stringify(JSON.parse(line)).match(/detail-\d/)?.[0]);

it('every event is one record, in order', async () => {
  const log = open();
  log.write([event('detail-1'), event('detail-2')]);
  log.write([event('detail-3')]);
  await log.close();
  expect(details(path)).toEqual(['detail-1', 'detail-2', 'detail-3']);
  expect(log.dropped).toBe(0);
});

it('a verdict waits for the record that introduces the configuration by which it was made', async () => {
  const log = open();
  const kinds = () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { event_type: string }).event_type);
  log.record('start', { config: 'sha256:01' });
  log.write([verdictEvent({ config: 'sha256:01' }), verdictEvent({ config: 'sha256:02' }), event('detail-1')]);
  log.write([verdictEvent({ config: 'sha256:02' })]);
  log.record('config', { config: 'sha256:02' });
  log.write([verdictEvent({ config: 'sha256:01' }), verdictEvent({ config: 'sha256:02' })]);
  log.write([verdictEvent({ config: 'sha256:03' })]);
  await log.close();
  const introduced = ['start', 'verdict', 'anomaly', 'config', 'verdict', 'verdict', 'verdict', 'verdict'];
  // One of which nobody tells is lost for it no more than any other.
  expect(kinds()).toEqual([...introduced, 'verdict']);
});

it('after a rotation records go to a new file of the same name', async () => {
  const log = open();
  log.write([event('detail-1')]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  renameSync(path, `${path}.1`);
  log.reopen();
  log.write([event('detail-2')]);
  await log.close();
  expect(details(`${path}.1`)).toEqual(['detail-1']);
  expect(details(path)).toEqual(['detail-2']);
});

it('beyond the configured backlog records are dropped and counted', async () => {
  const log = open(policy({ limits: { ...policy().limits, logBacklog: 3 } }));
  log.write(Array.from({ length: 1000 }, (_, i) => event(`detail-${i % 10}`)));
  await log.close();
  expect(log.dropped).toBeGreaterThan(900);
  expect(details(path).filter(Boolean)).toHaveLength(1000 - log.dropped);
  expect(said).toEqual([`log ${path}: its reader is too slow: records are lost`]);
});

it('a log that cannot be opened is named', () => {
  path = '/nonexistent/x';
  expect(() => open()).toThrow('log /nonexistent/x: cannot be opened (ENOENT)');
});
