/** Decisions on their way to a fleet, over a carrier in memory and a real disk: each of them arrives, and is read once. */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { BrokerError, type Stream } from '../../../src/fleet/port.ts';
import { batchOctets, openBatch } from '../../../src/fleet/verdict-batch.ts';
import { followVerdicts, readVerdicts, verdictStream } from '../../../src/fleet/verdict-stream.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import { VerdictSharing, type VerdictSharingOptions } from '../../../src/runtime/fleet/verdict-sharing.ts';
import { type FakeBroker, FakeCarrier } from '../../support/fake-broker.ts';
import { verdictEvent } from '../../support/verdict-event.ts';

const KEY = Buffer.alloc(32, 1);
const SEAL = { fleet: 'office', key: KEY };
const patience = { timeout: 10_000, interval: 20 };

let folder: string;
let carrier: FakeCarrier;
let protection: Protection;
let running: VerdictSharing[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-fleet-'));
  [carrier, running] = [new FakeCarrier(), []];
  protection = new Protection({ log: { write: () => {} }, say: () => {} });
});
afterEach(async () => {
  await Promise.all(running.map((sharing) => sharing.stop()));
  rmSync(folder, { recursive: true });
});

describe('decisions of gateways', () => {
  it('arrive from each, once, and the carrier cannot read them', async () => {
    const [a, b] = [start('gw1').sharing, start('gw2').sharing];
    decide(a, 1, 2, 3);
    decide(b, 4);
    await expect.poll(arrived, patience).toEqual(['gw1 1', 'gw1 2', 'gw1 3', 'gw2 4']);
    expect(a.counts).toMatchObject({ shared: 3, lost: 0 });
    await expect.poll(() => a.counts.waiting, patience).toBe(0);
    expect(
      carrier
        .stream('tlspin-verdicts-office', KEPT)
        .kept.map(({ message }) => text(message))
        .join(''),
    ).not.toMatch(/flow|198\.51/);
  });

  it('arrive many at a time', async () => {
    const { sharing } = start('gw1');
    const numbers = Array.from({ length: 2_000 }, (_, index) => index + 1);
    decide(sharing, ...numbers);
    await expect.poll(async () => (await arrived()).length, patience).toBe(2_000);
    expect(carrier.stream('tlspin-verdicts-office', KEPT).kept.length).toBeLessThan(20);
  });

  it('are only those that deny, or would, where no others are to be shared', async () => {
    const { sharing } = start('gw1', { share: 'denials' });
    sharing.take(verdictEvent({ flowId: 1 }));
    sharing.take(verdictEvent({ flowId: 2, action: 'reset' }));
    sharing.take(verdictEvent({ flowId: 3, would: 'tls-alert' }));
    sharing.take(verdictEvent({ flowId: 4, would: 'accept' }));
    await expect.poll(arrived, patience).toEqual(['gw1 2', 'gw1 3']);
  });

  it('wait while the gateway is cut off, and arrive behind those that did before', async () => {
    const { sharing, broker } = start('gw1');
    decide(sharing, 1);
    await expect.poll(arrived, patience).toEqual(['gw1 1']);
    broker.cutOff();
    decide(sharing, 2);
    await sharing.settle();
    decide(sharing, 3);
    await sharing.settle();
    expect(await arrived()).toEqual(['gw1 1']);
    broker.heal();
    await expect.poll(arrived, patience).toEqual(['gw1 1', 'gw1 2', 'gw1 3']);
  });

  it('outlive the process, whose successor shares them ahead of its own', async () => {
    const before = start('gw1', {}, false).sharing;
    decide(before, 1, 2);
    await before.settle();
    writeFileSync(join(folder, 'gw1', '1-1-1.batch.part'), 'half');
    const { sharing } = start('gw1');
    decide(sharing, 3);
    await expect.poll(arrived, patience).toEqual(['gw1 1', 'gw1 2', 'gw1 3']);
    await expect.poll(() => readdirSync(join(folder, 'gw1')), patience).toEqual([]);
  });

  it('are read once where the carrier has taken them and nobody was told', async () => {
    const { sharing, broker } = start('gw1', {}, false);
    let failures = 2;
    const stream = broker.stream.bind(broker);
    broker.stream = async (name, options) => {
      const real = await stream(name, options);
      const publish: Stream['publish'] = async (message, id) => {
        // Beyond what the carrier remembers, too.
        await real.publish(message, `${id} ${failures}`);
        if (failures-- > 0) throw new BrokerError('unreachable', 'no answer');
      };
      return { ...real, publish };
    };
    sharing.start(broker);
    decide(sharing, 1);
    await expect.poll(() => sharing.counts.shared, patience).toBe(1);
    expect(carrier.stream('tlspin-verdicts-office', KEPT).kept).toHaveLength(3);
    expect(await arrived()).toEqual(['gw1 1']);
  });

  it('are lost where too many wait, the oldest first, and that is told', async () => {
    const { sharing, broker } = start('gw1', { most: 3 * 4096 });
    broker.cutOff();
    for (let number = 1; number <= 5; number++) {
      decide(sharing, number);
      await sharing.settle();
    }
    expect(sharing.counts).toMatchObject({ lost: 2, waiting: 3 * 4096 });
    expect(protection.conditions).toMatchObject([
      { code: 'fleet.verdicts', subject: 'lost', detail: '2 decisions never got to the fleet' },
    ]);
    broker.heal();
    await expect.poll(arrived, patience).toEqual(['gw1 3', 'gw1 4', 'gw1 5']);
  });

  it('wait in memory, a few, where the disk takes none', async () => {
    const { sharing, broker } = start('gw1');
    broker.cutOff();
    rmSync(join(folder, 'gw1'), { recursive: true });
    for (let number = 1; number <= 20; number++) {
      decide(sharing, number);
      await sharing.settle();
    }
    expect(sharing.counts.lost).toBe(4);
    broker.heal();
    await expect.poll(async () => (await arrived()).length, patience).toBe(16);
  });

  it('stay on disk while it cannot be read, as where no descriptor is left, and arrive once it can', async () => {
    const before = start('gw1', {}, false).sharing;
    decide(before, 1);
    await before.settle();
    decide(before, 2);
    await before.settle();
    const [first = ''] = readdirSync(join(folder, 'gw1')).sort();
    const path = join(folder, 'gw1', first);
    renameSync(path, `${path}.aside`);
    mkdirSync(path); // EISDIR
    const { sharing } = start('gw1');
    await expect.poll(() => protection.conditions, patience).toMatchObject([{ code: 'fleet.verdicts', subject: '' }]);
    rmdirSync(path);
    renameSync(`${path}.aside`, path);
    await expect.poll(arrived, patience).toEqual(['gw1 1', 'gw1 2']);
    expect(sharing.counts.lost).toBe(0);
    await expect.poll(() => protection.conditions, patience).toEqual([]);
  });

  it('that no carrier takes are given up, and those behind them arrive', async () => {
    const { sharing, broker } = start('gw1', {}, false);
    const stream = broker.stream.bind(broker);
    broker.stream = async (name, options) => {
      const real = await stream(name, options);
      const publish: Stream['publish'] = (message, id) =>
        id.endsWith('.1') ? Promise.reject(new BrokerError('too-large', 'too large')) : real.publish(message, id);
      return { ...real, publish };
    };
    sharing.start(broker);
    decide(sharing, 1);
    await sharing.settle();
    decide(sharing, 2);
    await expect.poll(arrived, patience).toEqual(['gw1 2']);
    expect(sharing.counts.lost).toBe(1);
  });
});

describe('who reads', () => {
  it('hears what comes, in order, however slow they are', async () => {
    const { sharing } = start('gw1');
    const heard: string[] = [];
    const stream = await verdictStream(carrier.connect(), 'office');
    const onBatch: Parameters<typeof followVerdicts>[2]['onBatch'] = async ({ records }) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      heard.push(...records.map((record) => `${(record as { flow_id: number }).flow_id}`));
    };
    await followVerdicts(stream, SEAL, { from: { start: 'new' }, onBatch, onForged: () => heard.push('forged') });
    for (let number = 1; number <= 9; number++) {
      decide(sharing, number);
      await sharing.settle();
    }
    await expect.poll(() => heard.join(''), patience).toBe('123456789');
  });

  it.each<[string, (octets: Uint8Array) => Uint8Array]>([
    ['of another fleet', () => batchOctets(HEADING, ['{}\n'], { fleet: 'branch', key: KEY })],
    ['with another key', () => batchOctets(HEADING, ['{}\n'], { fleet: 'office', key: Buffer.alloc(32, 2) })],
    ['in the name of another gateway', swapped],
    ['that was changed', (octets) => octets.map((octet, at) => (at === octets.length - 20 ? octet ^ 1 : octet))],
    ['that was cut short', (octets) => octets.subarray(0, octets.length - 1)],
    ['that is nothing', () => new Uint8Array()],
    ['that is all heading', () => Buffer.from([0xff, 0xff, 1])],
  ])('is told nothing %s', (_, change) => {
    const octets = batchOctets(HEADING, ['{}\n'], SEAL);
    expect(openBatch(octets, SEAL)).toEqual({ heading: HEADING, records: [{}] });
    expect(openBatch(change(octets), SEAL)).toBeUndefined();
  });
});

// ---- the stage ----

const HEADING = { gateway: 'gw1', run: 5, number: 1, records: 1 };
const KEPT = { maxAgeMs: 1e9, maxBytes: 1e9, duplicatesMs: 1e9 };

function start(gateway: string, more: Partial<VerdictSharingOptions> = {}, isCarried = true) {
  const broker: FakeBroker = carrier.connect();
  const sharing = new VerdictSharing({
    ...{ fleet: 'office', gateway, key: KEY, share: 'verdicts' as const, protection },
    ...{ folder: join(folder, gateway), most: 1_000_000 },
    recordOf: ({ flowId }) => ({ flow_id: flowId, dest_ip: '198.51.100.7' }),
    ...more,
  });
  if (isCarried) sharing.start(broker);
  running.push(sharing);
  return { sharing, broker };
}

function decide(sharing: VerdictSharing, ...flows: number[]): void {
  for (const flowId of flows) sharing.take(verdictEvent({ flowId }));
}

/** `gw1 1`: what a reader is told, by gateway and flow. */
async function arrived(): Promise<string[]> {
  const stream = await verdictStream(carrier.connect(), 'office');
  const told: string[] = [];
  await readVerdicts(stream, SEAL, {
    from: { after: 0 },
    onBatch: ({ heading, records }) => {
      for (const record of records) told.push(`${heading.gateway} ${(record as { flow_id: number }).flow_id}`);
    },
    onForged: () => told.push('forged'),
  });
  return told;
}

function swapped(octets: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(octets).toString('latin1').replace('gw1', 'gw2'), 'latin1');
}

function text(octets: Uint8Array): string {
  return Buffer.from(octets).toString('latin1');
}
