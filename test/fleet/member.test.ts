/** What a gateway takes of what it is offered, and what it does not: each document signed, in the carrier's hands meanwhile. */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import { beforeEach, describe, expect, it } from 'vitest';

import { claimsOf, documentsBucket, type Terms } from '../../src/fleet/documents.ts';
import { Member, type MemberState } from '../../src/fleet/member.ts';
import { recordOctets } from '../../src/fleet/gateway-record.ts';
import { envelopeOctets, packageOctets } from '../../src/fleet/package.ts';
import type { Bucket } from '../../src/fleet/port.ts';
import { gateways, history, push } from '../../src/fleet/publisher.ts';
import { signDocument } from '../../src/fleet/signed-document.ts';
import { createKeyFiles, parseSecretKey, type SecretKey } from '../../src/minisign/keys.ts';
import { FakeCarrier } from '../support/fake-broker.ts';

const KEY = parseSecretKey(createKeyFiles().secret) as SecretKey;
const STRANGER = parseSecretKey(createKeyFiles().secret) as SecretKey;

describe('a gateway takes', () => {
  it('what is pushed, each version once, and says so', async () => {
    await offered(terms(1));
    await offered(terms(2));
    expect(applied).toEqual([1, 2]);
    const [status] = await gateways(fleet);
    expect(status).toMatchObject({ gateway: 'gw1', running: { version: 2 }, refused: null });
  });

  it('what is for it alone, and no other gateway does', async () => {
    const other = await join('gw2');
    await offered(terms(1, { canary: 'gw1' }), 'canary');
    expect(applied).toEqual([1]);
    expect(other.running).toBeUndefined();
  });

  it('the newest of both kinds, in whichever order they come', async () => {
    await offered(terms(3, { canary: 'gw1' }), 'canary');
    await offered(terms(2));
    await offered(terms(4));
    expect(applied).toEqual([3, 4]);
    expect(refused.filter((why) => why !== null)).toEqual([]);
  });

  it('after it was cut off, what it has missed', async () => {
    await offered(terms(1));
    brokers.get('gw1')!.cutOff();
    await offered(terms(2));
    expect(applied).toEqual([1]);
    brokers.get('gw1')!.heal();
    await settled();
    expect(applied).toEqual([1, 2]);
  });

  it('what it refused, when it is offered again and can be taken', async () => {
    objection = 'too much';
    await offered(terms(1));
    expect(refused).toEqual(['version 1 was refused: too much']);
    objection = undefined;
    await offered(terms(1));
    expect(applied).toEqual([1]);
    expect(refused.at(-1)).toBeNull();
  });
});

describe('a gateway that cannot keep what is in force', () => {
  it('says so, as it runs, and keeps it once it can', async () => {
    fillsUp = true;
    await offered(terms(1));
    expect([applied, refused, unkept]).toEqual([[1], [null], 'no space']);
    expect(await gateways(fleet)).toMatchObject([{ running: { version: 1 }, refused: null }]);
    [fillsUp, isDiskFull] = [false, false];
    await expect.poll(() => unkept, { timeout: 5_000 }).toBeNull();
    await member.stop();
    member = await join('gw1');
    expect(member.running).toMatchObject({ version: 1 });
  });
});

describe('a gateway does not take', () => {
  it.each<[string, () => Uint8Array, RegExp]>([
    ['what is signed by another key', () => envelope(terms(5), { key: STRANGER }), /is not trusted/],
    ['what was signed for another fleet', () => envelope(terms(5), { name: 'branch' }), /it is named branch/],
    ['what was changed', () => changed(envelope(terms(5)), -3), /not of this document/],
    ['what has another comment', () => changed(envelope(terms(5)), 200), /.*/],
    ['what has expired', () => envelope(terms(5, { expires: 1_000_000 })), /it expired at 1970-/],
    ['what is older than what was there', () => envelope(terms(1)), /version 2 was here before: it is an old one/],
    [
      'another document of the same version',
      () => envelope(terms(2), { text: '{ }' }),
      /another document of that version/,
    ],
    [
      'a canary in the place of what is for all',
      () => envelope(terms(5, { canary: 'gw1' })),
      /in the place of another/,
    ],
    ['octets', () => Buffer.from([0xff, 0xff, 1, 2, 3]), /not signed at all/],
    ['nothing', () => new Uint8Array(), /not signed at all/],
    [
      'what is signed and no package',
      () => envelope(terms(5), { octets: Buffer.from('hello') }),
      /no package of tlspin/,
    ],
    ['what unfolds beyond measure', () => envelope(terms(5), { octets: bomb() }), /no package of tlspin/],
  ])('%s', async (_, octets, why) => {
    await offered(terms(2));
    await bucket.put('office.all', octets());
    await settled();
    expect(applied).toEqual([2]);
    expect(refused.at(-1)).toMatch(why);
    const [status] = await gateways(fleet);
    expect(status).toMatchObject({ running: { version: 2 } });
    expect(status!.refused!.reason).toMatch(why);
  });

  it('an old document after a restart', async () => {
    await offered(terms(1));
    await offered(terms(2));
    await member.stop();
    await bucket.put('office.all', envelope(terms(1)));
    member = await join('gw1');
    expect(applied).toEqual([1, 2]);
    expect(refused.at(-1)).toMatch(/version 2 was here before/);
    expect(member.running).toMatchObject({ version: 2 });
  });

  it('what was seen and refused, once a newer one was seen, after a restart either', async () => {
    objection = 'too much';
    await offered(terms(1));
    await offered(terms(2));
    objection = undefined;
    await bucket.put('office.all', envelope(terms(1)));
    await settled();
    expect(applied).toEqual([]);
  });

  it('what it cannot keep', async () => {
    isDiskFull = true;
    await offered(terms(1));
    expect(applied).toEqual([]);
    expect(refused).toEqual(['version 1 was refused: no space']);
  });
});

describe('whoever pushes', () => {
  const wanted = {
    expires: Date.now() + 60_000,
    by: 'me',
    canary: null,
    isReportOnly: false,
    isForced: false,
    restores: null,
  };

  it('counts versions of both kinds together, and believes no version that nobody signed', async () => {
    await push(fleet, octetsOf('{}'), KEY, wanted);
    await push(fleet, octetsOf('{}'), KEY, { ...wanted, canary: 'gw1' });
    await bucket.put('office.canary', envelope(terms(900), { key: STRANGER }));
    expect((await push(fleet, octetsOf('{}'), KEY, wanted)).version).toBe(3);
    expect((await history(fleet)).map(({ terms: { version } }) => version)).toEqual([1, 2, 3]);
  });

  it('has a version of their own, where others push at the same moment', async () => {
    const both = [
      push(fleet, octetsOf('{}'), KEY, wanted),
      push(fleet, octetsOf('{}'), KEY, { ...wanted, canary: 'gw1' }),
    ];
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { message: expect.stringContaining('somebody else has pushed at the same moment') as string },
    });
    expect(await history(fleet)).toHaveLength(1);
  });

  it('goes on behind what gateways have seen, signed, where servers have lost everything', async () => {
    await offered(terms(7));
    await member.stop();
    carrier = new FakeCarrier();
    fleet = { ...fleet, broker: carrier.connect() };
    await join('gw1');
    const records = await fleet.broker.bucket('tlspin-gateways', { history: 1 });
    const { signature } = signDocument(octetsOf('{}'), STRANGER, claimsOf('office', terms(900)));
    const forged = {
      gateway: 'gw2',
      software: '1.0',
      network: 'n',
      answers: false,
      running: null,
      seen: signature,
      refused: null,
    };
    await records.put('office.gw2', recordOctets(forged));
    expect((await push(fleet, octetsOf('{}'), KEY, wanted)).version).toBe(8);
    await settled();
    expect(applied).toEqual([7, 8]);
  });

  it('has a document moved to a gateway once', async () => {
    const octets = octetsOf(JSON.stringify({ comment: randomBytes(20_000).toString('base64') }));
    const before = carrier.octets;
    await push(fleet, octets, KEY, wanted);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(applied).toEqual([1]);
    // To the carrier, and from there.
    expect((carrier.octets - before) / octets.length).toBeCloseTo(2, 0);
  });

  it('is told where nobody trusts the key', async () => {
    await expect(push(fleet, octetsOf('{}'), STRANGER, wanted)).rejects.toThrow('no gateway trusts this key');
  });

  it('reads nothing of gateways that speak for others, or nonsense', async () => {
    await offered(terms(1));
    const records = await brokers.get('gw1')!.bucket('tlspin-gateways', { history: 1 });
    const [own] = await records.entries();
    await records.put('office.gw9', own!.value);
    await records.put('office.gw8', Buffer.from('{"gateway":"gw8"}'));
    const running = { version: 1, since: Number.MAX_SAFE_INTEGER, digest: 'd', isReportOnly: false };
    await records.put(
      'office.gw7',
      recordOctets({
        gateway: 'gw7',
        software: '1.0',
        network: 'n',
        answers: false,
        running,
        seen: null,
        refused: null,
      }),
    );
    expect((await gateways(fleet)).map(({ gateway }) => gateway)).toEqual(['gw1']);
  });
});

// ---- the stage ----

let carrier: FakeCarrier;
let bucket: Bucket;
let fleet: { broker: ReturnType<FakeCarrier['connect']>; name: string; trusted: readonly SecretKey['publicKey'][] };
let member: Member;
let applied: number[];
let refused: (string | null)[];
let objection: string | undefined;
let isDiskFull: boolean;
/** Whether the disk is full by when a document is in force. */
let fillsUp: boolean;
let unkept: string | null;
const disks = new Map<string, MemberState>();
const brokers = new Map<string, ReturnType<FakeCarrier['connect']>>();

beforeEach(async () => {
  [carrier, applied, refused, objection, isDiskFull] = [new FakeCarrier(), [], [], undefined, false];
  [fillsUp, unkept] = [false, null];
  disks.clear();
  fleet = { broker: carrier.connect(), name: 'office', trusted: [KEY.publicKey] };
  bucket = await documentsBucket(fleet.broker);
  member = await join('gw1');
});

async function join(gateway: string): Promise<Member> {
  const broker = carrier.connect();
  brokers.set(gateway, broker);
  const joined = new Member({
    name: 'office',
    gateway,
    software: '1.0',
    standing: { network: gateway, answers: false },
    trusted: fleet.trusted,
    broker,
    state: disks.get(gateway) ?? { seen: { all: null, canary: null }, accepted: null },
    keep: async (state) => {
      if (isDiskFull) throw new Error('no space');
      disks.set(gateway, state);
    },
    apply: async (_, { version }) => {
      isDiskFull ||= fillsUp;
      if (objection !== undefined) return { isInForce: false, reason: objection, messages: [] };
      if (gateway === 'gw1') applied.push(version);
      return { isInForce: true };
    },
    onRefused: (why) => gateway === 'gw1' && refused.push(why),
    onUnkept: (why) => (unkept = why),
  });
  joined.start();
  await settled();
  return joined;
}

async function offered(of: Terms, kind: 'all' | 'canary' = 'all'): Promise<void> {
  await bucket.put(`office.${kind}`, envelope(of));
  await settled();
}

function terms(version: number, more: Partial<Terms> = {}): Terms {
  const expires = Math.floor(Date.now() / 1000) * 1000 + 3_600_000;
  const plain = { canary: null, isReportOnly: false, isForced: false, restores: null };
  return { version, expires, pushed: 1_000, by: 'me@here', ...plain, ...more };
}

function envelope(
  of: Terms,
  { key = KEY, name = 'office', text = '{"version":1}', octets = octetsOf(text) } = {},
): Uint8Array {
  return envelopeOctets(signDocument(octets, key, claimsOf(name, of)));
}

function octetsOf(text: string): Uint8Array {
  return packageOctets({
    file: 'pins.json',
    files: new Map([['pins.json', { bytes: Buffer.from(text), modifiedMs: 1 }]]),
  });
}

function changed(octets: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(octets);
  copy[at < 0 ? copy.length + at : at]! ^= 1;
  return copy;
}

/** Zeros, of which a thousand are one octet. */
function bomb(): Uint8Array {
  return gzipSync(Buffer.alloc(17 * 1024 * 1024));
}

/** Whatever is on its way has arrived. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
}
