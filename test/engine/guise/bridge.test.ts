/** Probes over a bridge, at the engine: what leaves does so as a frame of the client's, and the client hears of nothing. */
import { beforeEach, expect, it } from 'vitest';

import { Engine } from '../../../src/engine/engine.ts';
import { asReceived, type BridgePort, frameOf } from '../../../src/engine/guise/bridge.ts';
import { tcpChecksumFits } from '../../../src/packet/checksum.ts';
import { FIELD, FLAG, HOOK, NF_ACCEPT, NF_DROP } from '../../../src/packet/batch.ts';
import { IpView } from '../../../src/packet/ip.ts';
import { TCP_FLAG, TcpView } from '../../../src/packet/tcp.ts';
import type { DialledAsClient } from '../../../src/probe/origin.ts';
import { DialledMemory } from '../../../src/runtime/probing/dialled.ts';
import { ipv4, ipv6, tcpSegment, type TcpFields, viewTcp } from '../../support/ip-bytes.ts';
import { policy } from '../../support/policy.ts';

const { syn, ack } = TCP_FLAG;
const CLIENT = { address: new Uint8Array([10, 1, 2, 3]), port: 51_514 };
const SERVER = { address: new Uint8Array([198, 51, 100, 7]), port: 443 };
const PROBE = 40_001;
const MARK = policy().probe.mark;
const OPTIONS = [...Buffer.from('020405b40402080a000090000000000001030307', 'hex')];
/** On the link. */
const [NEAR, FAR] = [0x02_00_00_00_00_01, 0x02_00_00_00_00_02];
const [NEAR_PORT, FAR_PORT, TUNNEL] = [5, 6, 9];

let engine: Engine;
let dialled: DialledMemory;
/** In their order: verdicts with the packet's number, frames with their port, and what the device took in. */
let done: (readonly [string, number, Uint8Array?])[];
let now = 1e9;
let ids = 0;

function begin(source: 'client' | 'gateway'): void {
  const bridge: BridgePort = {
    ifindex: TUNNEL,
    send: (port, frame) => done.push(['frame', port, frame]),
    receive: (packet) => done.push(['received', packet.length, packet]),
    discard: () => done.push(['discard', 0]),
  };
  dialled = new DialledMemory();
  done = [];
  engine = new Engine({
    policy: policy({ probe: { ...policy().probe, source } }),
    verdicts: {
      verdict: (id, verdict) => done.push([verdict === NF_ACCEPT ? 'accept' : verdict === NF_DROP ? 'drop' : '?', id]),
      flush: () => done.push(['flush', 0]),
    },
    events: { emit: () => undefined },
    clock: { now: () => now, wallTime: () => now },
    examiner: { examine: () => undefined },
    proves: () => true,
    live: true,
    dialled,
    bridge,
  });
}

beforeEach(() => begin('client'));

interface At {
  readonly hook?: number;
  readonly mark?: number;
  readonly out?: number;
  readonly port?: number;
  readonly link?: number;
}

/** A packet of its own batch; its number. */
function packet({ srcPort = PROBE, ...fields }: TcpFields, at: At = {}): number {
  const { hook = HOOK.localOut, mark = MARK, out = TUNNEL, port = 0, link = 0 } = at;
  const ends = srcPort === 443 ? { source: '198.51.100.7', destination: '10.1.2.3' } : {};
  const octets = ipv4(tcpSegment({ srcPort, ...fields }), ends);
  const words = new Uint32Array(FIELD.ROW);
  words[FIELD.packetId] = ++ids;
  words[FIELD.length] = octets.length;
  words[FIELD.hook] = hook;
  words[FIELD.mark] = mark;
  words[FIELD.flags] = FLAG.hasConnmark;
  words[FIELD.inIfindex] = { [HOOK.localOut]: 0, [HOOK.localIn]: TUNNEL }[hook] ?? 2;
  words[FIELD.outIfindex] = out;
  words[FIELD.physOutIfindex] = port;
  words[FIELD.inLinkHigh] = Math.floor(link / 2 ** 32);
  words[FIELD.inLinkLow] = link % 2 ** 32;
  words[FIELD.timeSeconds] = Math.floor(++now / 1e6);
  words[FIELD.timeMicros] = now % 1e6;
  done = [];
  engine.onBatch({ slab: Buffer.from(octets), words, count: 1 });
  return ids;
}

const toServer = { hook: HOOK.forward, mark: 0, out: 2, port: FAR_PORT, link: NEAR };
const toClient = { hook: HOOK.forward, mark: 0, out: 2, port: NEAR_PORT, link: FAR };
const clientSyn = (at: At = toServer) =>
  packet({ srcPort: CLIENT.port, flags: syn, options: OPTIONS, seq: 999, ack: 0 }, at);
const synAck = (dstPort: number, acks: number, at: At = toClient) =>
  packet({ srcPort: 443, dstPort, flags: syn | ack, seq: 70, ack: acks }, at);
const probeSyn = () => packet({ flags: syn, options: OPTIONS, seq: 5_000, ack: 0 });
const dial = (role: DialledAsClient['role'] = 'awaited') =>
  dialled.add({ client: CLIENT, server: SERVER, probePort: PROBE, role });
const kinds = () => done.map(([kind]) => kind);

it.each(['client', 'gateway'] as const)(
  'what a probe sends leaves by the port of its client, once its own packet is answered (%s)',
  (source) => {
    begin(source);
    clientSyn();
    synAck(CLIENT.port, 1_000);
    dial();
    probeSyn();
    expect(kinds()).toEqual(['accept', 'flush', 'frame', 'discard']);
    const [, port, frame] = done[2]!;
    expect([port, Buffer.from(frame!).toString('hex', 0, 14)]).toEqual([
      FAR_PORT,
      '020000000002' + '020000000001' + '0800',
    ]);
    const [ip, tcp] = [new IpView(), new TcpView()];
    ip.parse(frame!, 14, frame!.length);
    tcp.parse(ip);
    expect([tcp.srcPort, tcp.seq, tcpChecksumFits(ip)]).toEqual([PROBE, 5_000, true]);
    expect(engine.counters.probesRewritten).toBe(1);
  },
);

it.each(['client', 'gateway'] as const)(
  'what is answered to it comes in by the device, and goes no farther (%s)',
  (source) => {
    begin(source);
    clientSyn();
    synAck(CLIENT.port, 1_000);
    dial();
    probeSyn();
    // Whatever mark others have given it.
    for (const mark of [MARK, 0x8]) {
      synAck(PROBE, 5_001, { ...toClient, mark });
      expect(kinds()).toEqual(['received', 'drop', 'flush']);
    }
    const answer = synAck(PROBE, 5_001);
    expect(done[1]).toEqual(['drop', answer]);
    expect(viewTcp(done[0]![2]!)).toMatchObject({ dstPort: PROBE, ack: 5_001 });
    // What comes by there is its socket's.
    const [id] = [synAck(PROBE, 5_001, { hook: HOOK.localIn, out: 0 })];
    expect(done[0]).toEqual(['accept', id]);
  },
);

it('a client that begins a connection by the port of a probe hears what is answered there', () => {
  clientSyn();
  synAck(CLIENT.port, 1_000);
  dial();
  probeSyn();
  packet({ srcPort: PROBE, flags: syn, options: OPTIONS, seq: 777, ack: 0 }, toServer);
  synAck(PROBE, 778);
  expect(kinds()).toEqual(['accept', 'flush']);
});

it('what is like an answer and goes by no bridge is none', () => {
  clientSyn();
  synAck(CLIENT.port, 1_000);
  dial();
  probeSyn();
  synAck(PROBE, 5_001, { ...toClient, mark: MARK, port: 0 });
  expect(kinds()).not.toContain('received');
});

it('what leaves or comes by the device and is no probe’s is nobody’s flow, and no frame', () => {
  probeSyn();
  expect(kinds()).toEqual(['accept', 'flush']);
  synAck(PROBE, 5_001, { hook: HOOK.localIn, out: 0, mark: 0 });
  expect(kinds()).toEqual(['accept', 'flush']);
});

it('a decoy whose server nobody has heard of yet waits until it answers the client', () => {
  clientSyn();
  dial('decoy');
  probeSyn();
  expect(kinds()).toEqual(['accept', 'flush']);
  synAck(CLIENT.port, 55);
  expect(kinds()).not.toContain('frame');
  synAck(CLIENT.port, 1_000);
  expect(kinds().slice(-3)).toEqual(['flush', 'frame', 'discard']);
});

it.each([
  ['its client is none behind a bridge', { ...toServer, port: 0 }, TUNNEL],
  ['it leaves otherwise', toServer, 3],
])('no frame is sent where %s', (_, at, out) => {
  clientSyn(at);
  synAck(CLIENT.port, 1_000);
  dial();
  packet({ flags: syn, options: OPTIONS, seq: 5_000, ack: 0 }, { out });
  expect(kinds()).toEqual(['accept', 'flush']);
  synAck(PROBE, 5_001, { ...toClient, mark: MARK });
  expect(kinds()).not.toContain('received');
});

it('of either family a frame says which, and what comes in has no other mark than its type of service', () => {
  const link = { port: 1, client: 0xff_ff_ff_ff_ff_ff, server: 0 };
  const segment = tcpSegment({ srcPort: 443, flags: ack, data: 'answer' });
  const [four, six] = [ipv4(segment), ipv6(segment)];
  expect(Buffer.from(frameOf(link, 1, six)).toString('hex', 0, 14)).toBe('000000000001' + 'ffffffffffff' + '86dd');
  for (const octets of [four, six]) {
    const before = Uint8Array.from(octets);
    const [ip, tcp] = [new IpView(), new TcpView()];
    ip.parse(octets, 0, octets.length);
    tcp.parse(ip);
    // As it comes where the device would have filled it in.
    octets.fill(0, tcp.start + 16, tcp.start + 18);
    const received = asReceived({ ip, tcp });
    ip.parse(received, 0, received.length);
    expect(tcpChecksumFits(ip)).toBe(true);
    if (ip.version === 4) expect(received[1]).toBe(0x1c);
    else expect(received).toEqual(before.fill(0x61, 0, 1).fill(0xc0, 1, 2));
  }
});
