/** Probes' packets at the engine: known by what was said of them, given their client's guise, and at its time if decoys. */
import { beforeEach, describe, expect, it } from 'vitest';

import { Engine } from '../../../src/engine/engine.ts';
import type { ProbeRole } from '../../../src/judge/ports.ts';
import { FIELD, FLAG, HOOK, NF_ACCEPT, NF_DROP } from '../../../src/packet/batch.ts';
import { TCP_FLAG } from '../../../src/packet/tcp.ts';
import type { Policy } from '../../../src/pins/policy.ts';
import { DialledMemory } from '../../../src/runtime/probing/dialled.ts';
import { ipv4, tcpSegment, type TcpFields, viewTcp } from '../../support/ip-bytes.ts';
import { policy } from '../../support/policy.ts';

const { syn, ack, fin, rst } = TCP_FLAG;
const CLIENT = { address: new Uint8Array([10, 1, 2, 3]), port: 51_514 };
const SERVER = { address: new Uint8Array([198, 51, 100, 7]), port: 443 };
const MARK = policy().probe.mark;
const [WINDOWS, OWN] = ['020405b40103030801010402', '020405b40402080a000090000000000001030307'].map((text) => [
  ...Buffer.from(text, 'hex'),
]) as [number[], number[]];

let engine: Engine;
let dialled: DialledMemory;
/** In the order in which packets were let go. */
let gone: { id: number; verdict: number; payload: Uint8Array | undefined }[];
let now: number;

function begin(source: Policy['probe']['source']): void {
  dialled = new DialledMemory();
  gone = [];
  now = 1e9;
  engine = new Engine({
    policy: policy({ probe: { ...policy().probe, source } }),
    verdicts: {
      verdict: (id, verdict, options) => gone.push({ id, verdict, payload: options?.payload }),
      flush: () => undefined,
    },
    events: { emit: () => undefined },
    clock: { now: () => now, wallTime: () => now },
    examiner: { examine: () => undefined },
    proves: () => true,
    live: true,
    dialled,
  });
}

beforeEach(() => begin('client'));

interface At {
  readonly hook?: number;
  readonly mark?: number;
  readonly connmark?: number;
}

let ids = 0;
/** One batch; their ids. */
function batch(...packets: readonly (readonly [TcpFields, At?])[]): number[] {
  const octets = packets.map(([{ srcPort = 40_001, ...fields }]) => {
    const isBack = srcPort === 443;
    const ends = isBack ? { source: '198.51.100.7', destination: '10.1.2.3' } : {};
    return ipv4(tcpSegment({ srcPort, ...fields }), ends);
  });
  const slab = Buffer.concat(octets);
  const words = new Uint32Array(FIELD.ROW * packets.length);
  let offset = 0;
  const given = packets.map(([, { hook = HOOK.localOut, mark = MARK, connmark = MARK } = {}], at) => {
    const row = at * FIELD.ROW;
    words[row + FIELD.packetId] = ++ids;
    words[row + FIELD.offset] = offset;
    words[row + FIELD.length] = octets[at]!.length;
    words[row + FIELD.hook] = hook;
    words[row + FIELD.mark] = mark;
    words[row + FIELD.connmark] = connmark;
    words[row + FIELD.flags] = FLAG.hasConnmark;
    words[row + FIELD.inIfindex] = hook === HOOK.localOut ? 0 : 2;
    words[row + FIELD.outIfindex] = hook === HOOK.localIn ? 0 : 3;
    words[row + FIELD.timeSeconds] = Math.floor(now / 1e6);
    words[row + FIELD.timeMicros] = now % 1e6;
    offset += octets[at]!.length;
    return ids;
  });
  engine.onBatch({ slab, words, count: packets.length });
  return given;
}

const FORWARD: At = { hook: HOOK.forward, mark: 0, connmark: 0 };
const clientSyn = () =>
  batch([{ srcPort: CLIENT.port, flags: syn, window: 65_535, options: WINDOWS, seq: 999, ack: 0 }, FORWARD]);
const dial = (role: ProbeRole = 'awaited') => dialled.add({ client: CLIENT, server: SERVER, probePort: 40_001, role });
const probeSyn = { flags: syn, options: OWN, seq: 5_000, ack: 0 };
const last = () => gone.at(-1)!;

it('a probe that was dialled leaves as its client does, and is no flow', () => {
  clientSyn();
  const flows = engine.flows;
  dial();
  const [id] = batch([probeSyn]);
  expect(last()).toMatchObject({ id, verdict: NF_ACCEPT });
  const { start, dataStart, bytes, window } = viewTcp(last().payload!);
  expect([...bytes.subarray(start + 20, dataStart)]).toEqual(WINDOWS);
  expect(window).toBe(65_535);
  const [answer] = batch([{ srcPort: 443, dstPort: 40_001, flags: syn | ack, ack: 5_001 }, { hook: HOOK.localIn }]);
  expect(last()).toMatchObject({ id: answer, verdict: NF_ACCEPT, payload: undefined });
  batch([{ flags: ack, seq: 5_001, data: 'hello' }]);
  expect(viewTcp(last().payload!).seq).toBe(5_001);
  expect(engine.flows).toBe(flows);
  expect(engine.counters).toMatchObject({ probesRewritten: 2, probesPassed: 0 });
});

describe('what goes as it is, and is counted', () => {
  it.each([
    ['its client’s SYN was not seen', () => dial()],
    ['it was not dialled here', () => clientSyn()],
    [
      'its client’s system is one that the gateway cannot be',
      () => {
        const options = [...WINDOWS, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1];
        batch([{ srcPort: CLIENT.port, flags: syn, options, seq: 1, ack: 0 }, FORWARD]);
        dial();
        batch([{ ...probeSyn, options: [2, 4, 5, 180] }]);
        gone = [];
        engine.counters.probesPassed = 0;
      },
    ],
  ])('%s', (_, before) => {
    before();
    const [id] = batch([{ ...probeSyn, options: [2, 4, 5, 180] }]);
    expect(last()).toEqual({ id, verdict: NF_ACCEPT, payload: undefined });
    expect(engine.counters).toMatchObject({ probesRewritten: 0, probesPassed: 1 });
  });
});

it('a probe that is under way keeps its guise where new ones leave with the gateway’s address', () => {
  clientSyn();
  dial();
  batch([probeSyn]);
  const { probe } = policy();
  engine.replacePolicy(policy({ probe: { ...probe, source: 'gateway' } }));
  batch([{ srcPort: 443, dstPort: 40_001, flags: syn | ack, ack: 5_001 }, { hook: HOOK.localIn }]);
  batch([{ flags: ack, seq: 5_001, data: 'hello' }]);
  expect(gone.slice(-2).map(({ verdict }) => verdict)).toEqual([NF_ACCEPT, NF_ACCEPT]);
  expect(engine.counters).toMatchObject({ probesRewritten: 2, probesPassed: 0 });
});

it('what comes to one that was dialled goes as it is where nothing of it has left by here', () => {
  dial();
  const answer = { srcPort: 443, dstPort: 40_001, flags: syn | ack, ack: 5_001 };
  const [id] = batch([answer, { hook: HOOK.localIn, connmark: 0 }]);
  expect(last()).toEqual({ id, verdict: NF_ACCEPT, payload: undefined });
  batch([
    { ...answer, dstPort: 40_002 },
    { hook: HOOK.localIn, connmark: 0 },
  ]);
  expect(last().verdict).toBe(NF_DROP);
});

describe('what is a flow like any other', () => {
  const hello = { srcPort: 40_001, flags: ack, seq: 5_001, data: 'anything' };
  const isJudged = (at: At) => {
    clientSyn();
    dial();
    const flows = engine.flows;
    batch([{ ...hello, flags: syn, data: '' }, at]);
    expect(engine.flows).toBe(flows + 1);
    expect(engine.counters).toMatchObject({ probesRewritten: 0, probesPassed: 0 });
  };

  it('what is forwarded with the mark of probes and a probe’s ends', () => isJudged({ hook: HOOK.forward }));
  it('what leaves without the mark', () => isJudged({ mark: 0 }));
  it('what leaves with it alone, and was never dialled', () => {
    batch([probeSyn, { connmark: 0 }]);
    expect(engine.flows).toBe(1);
  });
  it('everything, where probes leave with the gateway’s address', () => {
    begin('gateway');
    isJudged({});
  });
});

describe('a decoy', () => {
  const bare = { flags: ack, seq: 5_001, ack: 800 };
  beforeEach(() => {
    clientSyn();
    dial('decoy');
    batch([probeSyn]);
    gone = [];
  });

  it('acknowledges right ahead of its hello', () => {
    const [first] = batch([bare]);
    expect(gone).toEqual([]);
    expect(engine.waits).toBe(true);
    now += 3_000;
    const [hello] = batch([{ ...bare, data: 'hello' }]);
    expect(gone.map(({ id }) => id)).toEqual([first, hello]);
    expect(engine.heldPackets).toBe(0);
  });

  it('says by its client’s clock when that would have said it, had it begun then', () => {
    begin('client');
    const stamps = (ms: number) => [1, 1, 8, 10, 0, 0, ms >> 8, ms & 0xff, 0, 0, 0, 0];
    const linux = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 4, 0, 0, 0, 0, 0, 1, 3, 3, 7];
    const client = { srcPort: CLIENT.port, seq: 1_000, ack: 501, flags: ack };
    batch([{ ...client, flags: syn, options: linux, seq: 999, ack: 0 }, FORWARD]);
    now += 4_000;
    dial('decoy');
    batch([probeSyn]);
    now += 20_000;
    batch([{ ...client, options: stamps(0x414) }, FORWARD]);
    now += 3_000;
    batch([{ ...client, options: stamps(0x417), data: 'hello' }, FORWARD]);
    gone = [];
    batch([{ ...bare, options: stamps(1) }], [{ ...bare, options: stamps(4), data: 'hello' }]);
    // It began four milliseconds behind its client.
    expect(gone.map(({ payload }) => viewTcp(payload!).tsVal)).toEqual([0x418, 0x41b]);
  });

  it('acknowledges in time where it says nothing', () => {
    batch([bare]);
    now += 4_000;
    engine.tick();
    expect(gone).toEqual([]);
    now += 2_000;
    engine.tick();
    expect(gone).toHaveLength(1);
  });

  it('has heard the server when its client has, and ends behind that', () => {
    batch([{ ...bare, data: 'hello' }]);
    const [heard, end] = batch(
      [{ ...bare, seq: 5_006, ack: 2_000 }],
      [{ ...bare, seq: 5_006, ack: 2_000, flags: fin | ack }],
    );
    expect(gone).toHaveLength(1);
    const fromClient = { srcPort: CLIENT.port, flags: ack, seq: 1_000 };
    batch([{ ...fromClient, ack: 300 }, FORWARD]);
    expect(gone.map(({ id }) => id)).not.toContain(heard);
    const [client] = batch([{ ...fromClient, ack: 1_500 }, FORWARD]);
    const order = gone.map(({ id }) => id).slice(-3);
    expect([
      [heard, end, client],
      [client, heard, end],
    ]).toContainEqual(order);
    const [later] = batch([{ ...bare, seq: 5_007, ack: 3_000 }]);
    expect(last().id).toBe(later);
  });

  it('says its last words when its client has heard the server, and another hello at once', () => {
    batch([{ ...bare, data: 'hello' }], [{ ...bare, seq: 5_006, ack: 900, data: 'again' }]);
    expect(gone).toHaveLength(2);
    batch([{ ...bare, seq: 5_011, ack: 3_000, data: 'finished' }]);
    expect(gone).toHaveLength(2);
    now += 301_000;
    engine.tick();
    expect(gone).toHaveLength(3);
  });

  it('is its client’s still where that has sent its SYN again', () => {
    batch([{ ...bare, data: 'hello' }]);
    const [heard] = batch([{ ...bare, seq: 5_006, ack: 2_000 }]);
    clientSyn();
    const fromClient = { srcPort: CLIENT.port, flags: ack, seq: 1_000 };
    batch([{ ...fromClient, ack: 300 }, FORWARD], [{ ...fromClient, ack: 1_500 }, FORWARD]);
    expect(gone.map(({ id }) => id)).toContain(heard);
  });

  it('has heard it in time where its client has not', () => {
    batch([{ ...bare, data: 'hello' }], [{ ...bare, seq: 5_006, ack: 2_000 }]);
    expect(gone).toHaveLength(1);
    now += 301_000;
    engine.tick();
    expect(gone).toHaveLength(2);
  });

  it('lets go of what waits where its server waits for it', () => {
    batch([{ ...bare, data: 'hello' }], [{ ...bare, seq: 5_006, ack: 2_000 }], [{ ...bare, seq: 5_006, ack: 10_000 }]);
    expect(gone).toHaveLength(3);
  });

  it('lets go of everything at the end', () => {
    batch([{ ...bare, data: 'hello' }], [{ ...bare, seq: 5_006, ack: 2_000 }]);
    engine.finish();
    expect(gone).toHaveLength(2);
    const { received, accepted, dropped } = engine.counters;
    expect(received).toBe(accepted + dropped);
  });
});

describe('a probe that nobody waits for', () => {
  const bare = { flags: ack, seq: 5_001, ack: 800 };
  const serversSyn = { srcPort: 443, dstPort: 40_001, flags: syn | ack, ack: 5_001 };
  const back = (dstPort: number): TcpFields => ({ srcPort: 443, dstPort, seq: 500, ack: 1_000 });
  const later = (micros: number) => void (now += micros);

  /** A client that is 20 ms away, and has its hello 3 ms later. */
  function visit(port: number, { dies = false } = {}): void {
    const fromClient = { srcPort: port, seq: 1_000, ack: 501 };
    batch([{ ...fromClient, flags: syn, window: 65_535, options: WINDOWS, seq: 999, ack: 0 }, FORWARD]);
    batch([{ ...back(port), flags: syn | ack }, FORWARD]);
    if (dies) return;
    later(20_000);
    batch([{ ...fromClient, flags: ack }, FORWARD]);
    later(3_000);
    batch([{ ...fromClient, flags: ack, data: 'hello' }, FORWARD]);
    later(5_000);
    batch([{ ...back(port), seq: 501, ack: 1_005, flags: ack, data: 'server' }, FORWARD]);
    later(21_000);
    batch([{ ...fromClient, seq: 1_005, ack: 507, flags: ack }, FORWARD]);
  }

  function recheck(): void {
    dial('behind');
    batch([probeSyn]);
    later(5_000);
    batch([serversSyn, { hook: HOOK.localIn }]);
    gone = [];
  }

  const leavesAt = (micros: number) => {
    const count = gone.length;
    later(micros - 1_500);
    engine.tick();
    expect(gone).toHaveLength(count);
    expect(engine.dueIn).toBeGreaterThan(0);
    later(3_000);
    engine.leaveDue();
    expect(gone.length).toBeGreaterThan(count);
  };

  beforeEach(() => {
    for (let at = 3; at >= 0; at--) visit(CLIENT.port - at);
  });

  it('acknowledges and says its hello when the client would', () => {
    recheck();
    const [first] = batch([bare]);
    later(300);
    const [hello] = batch([{ ...bare, data: 'hello' }]);
    leavesAt(23_000 - 300);
    expect(gone.map(({ id }) => id)).toEqual([first, hello]);
    expect(engine.heldPackets).toBe(0);
    expect(engine.dueIn).toBe(Infinity);
  });

  it('has heard the server when the client would have, and goes away behind that', () => {
    recheck();
    batch([bare], [{ ...bare, data: 'hello' }]);
    leavesAt(23_000);
    const [heard] = batch([{ ...bare, seq: 5_006, ack: 2_000 }]);
    later(5_000);
    const [end] = batch([{ ...bare, seq: 5_006, ack: 2_000, flags: fin | ack }]);
    leavesAt(16_000);
    leavesAt(3_500);
    expect(gone.map(({ id }) => id).slice(-2)).toEqual([heard, end]);
  });

  it('says a hello that is late at once, and an acknowledgment alone a little later', () => {
    recheck();
    batch([bare]);
    later(25_000);
    batch([{ ...bare, data: 'hello' }]);
    expect(gone).toHaveLength(2);
    begin('client');
    for (let at = 3; at >= 0; at--) visit(CLIENT.port - at);
    recheck();
    batch([bare]);
    leavesAt(28_000);
  });

  it('has sixteen packets wait at the most: a server can have it acknowledge as often as it likes', () => {
    recheck();
    batch([bare], [{ ...bare, data: 'hello' }]);
    leavesAt(23_000);
    gone = [];
    const most = [];
    for (let repeated = 0; repeated < 100; repeated++) {
      batch([{ ...bare, seq: 5_006, ack: 2_000 }]);
      most.push(engine.heldPackets);
    }
    expect(Math.max(...most)).toBe(16);
    expect(gone.length).toBeGreaterThan(80);
  });

  it('resets at once', () => {
    recheck();
    batch([bare], [{ ...bare, flags: rst, ack: 0 }]);
    expect(engine.heldPackets).toBe(0);
  });

  it('waits for nothing where a client waits for it', () => {
    dial('awaited');
    batch([probeSyn], [serversSyn, { hook: HOOK.localIn }], [bare], [{ ...bare, data: 'hello' }]);
    expect(engine.heldPackets).toBe(0);
  });

  it('waits for nothing where half of its time is over', () => {
    const { probe } = policy();
    engine.replacePolicy(policy({ probe: { ...probe, source: 'client', timeout: 20 } }));
    recheck();
    batch([bare]);
    expect(engine.heldPackets).toBe(1);
    later(5_000);
    engine.tick();
    expect(engine.heldPackets).toBe(0);
    batch([{ ...bare, data: 'hello' }], [{ ...bare, seq: 5_006, ack: 2_000 }]);
    expect(engine.heldPackets).toBe(0);
  });

  it('waits for nothing of a client that was never seen to answer', () => {
    begin('client');
    for (let port = 20_000; port < 20_400; port++) visit(port, { dies: true });
    visit(CLIENT.port, { dies: true });
    recheck();
    batch([bare], [{ ...bare, data: 'hello' }]);
    expect(engine.heldPackets).toBe(0);
    expect(gone).toHaveLength(2);
  });

  it('lets go of everything at the end', () => {
    recheck();
    batch([bare], [{ ...bare, data: 'hello' }]);
    engine.finish();
    expect(gone).toHaveLength(2);
    const { received, accepted, dropped } = engine.counters;
    expect(received).toBe(accepted + dropped);
  });
});
