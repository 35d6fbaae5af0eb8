/** Probes over a bridge, at the engine: what leaves does so as a frame of the client's, and the client hears of nothing. */
import { beforeEach, describe, expect, it } from 'vitest';

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
    onMisled: (why) => done.push([why, 0]),
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

it('no frame is sent where it leaves otherwise', () => {
  clientSyn();
  synAck(CLIENT.port, 1_000);
  dial();
  packet({ flags: syn, options: OPTIONS, seq: 5_000, ack: 0 }, { out: 3 });
  expect(kinds()).toEqual(['accept', 'flush']);
  synAck(PROBE, 5_001, { ...toClient, mark: MARK });
  expect(kinds()).not.toContain('received');
});

/** Its socket hears at once that nothing comes of it. */
const expectRefusal = (why: string) => {
  expect(kinds()).toEqual([why, 'accept', 'flush', 'discard', 'received']);
  const reset = done[4]![2]!;
  const [ip, tcp] = [new IpView(), new TcpView()];
  ip.parse(reset, 0, reset.length);
  tcp.parse(ip);
  expect([tcpChecksumFits(ip), reset[1]]).toEqual([true, 0x1c]);
  expect([...reset.subarray(12, 20)]).toEqual([...SERVER.address, ...CLIENT.address]);
  expect(tcp).toMatchObject({ srcPort: 443, dstPort: PROBE, flags: TCP_FLAG.rst | ack, ack: 5_001, dataLength: 0 });
};

it.each([
  ['nothing of its client was seen', () => undefined],
  ['its client is none behind a bridge', () => (clientSyn({ ...toServer, port: 0 }), synAck(CLIENT.port, 1_000))],
  ['nobody has answered its client', () => clientSyn()],
])('where it would have to go is not known where %s, and it fails at once', (_, seen) => {
  seen();
  dial();
  probeSyn();
  expectRefusal('astray');
  synAck(PROBE, 5_001, { ...toClient, mark: MARK });
  expect(kinds()).not.toContain('received');
});

const STRANGER = 0x02_00_00_00_00_66;
const goesTo = () => done.filter(([kind]) => kind === 'frame').map(([, port, frame]) => [port, frame![5], frame![11]]);
/** Port, and the last octets of who is asked and whom it is from. */
const GENUINE = [[FAR_PORT, 2, 1]];

describe('who is on the link leads no probe elsewhere', () => {
  const probe = () => {
    dial();
    probeSyn();
    return goesTo();
  };
  const strangersSyn = (seq: number) =>
    packet(
      { srcPort: CLIENT.port, flags: syn, options: OPTIONS, seq, ack: 0 },
      { ...toServer, port: NEAR_PORT, link: STRANGER },
    );
  const strangers = { ...toClient, link: STRANGER };
  const serverSays = (at: At, fields: Partial<TcpFields> = {}) =>
    packet({ srcPort: 443, dstPort: CLIENT.port, flags: ack, seq: 71, ack: 1_000, data: 'octets', ...fields }, at);

  it('by a connection begun in the client’s name', () => {
    clientSyn();
    synAck(CLIENT.port, 1_000);
    strangersSyn(4_242);
    synAck(CLIENT.port, 4_243, { ...strangers, port: FAR_PORT });
    expect(probe()).toEqual(GENUINE);
  });

  it('by a SYN, though the client began where another one had before', () => {
    strangersSyn(4_242);
    clientSyn();
    synAck(CLIENT.port, 1_000);
    expect(probe()).toEqual(GENUINE);
  });

  it('by an answer from the client’s own side', () => {
    clientSyn();
    synAck(CLIENT.port, 1_000, { ...toServer, link: STRANGER });
    synAck(CLIENT.port, 1_000);
    expect(probe()).toEqual(GENUINE);
  });

  it('by an answer that is not let pass', () => {
    clientSyn();
    synAck(CLIENT.port, 2_000, strangers);
    packet({ srcPort: 443, dstPort: CLIENT.port, flags: syn | ack, seq: 70, ack: 1_000, data: 'x' }, strangers);
    synAck(CLIENT.port, 1_000);
    expect(probe()).toEqual(GENUINE);
  });

  it.each([
    ['octets', () => serverSays(toClient)],
    ['copies', () => synAck(CLIENT.port, 1_000)],
  ])('by an answer, where %s of the server’s come from elsewhere', (_, other) => {
    clientSyn();
    synAck(CLIENT.port, 1_000, strangers);
    other();
    dial();
    probeSyn();
    expectRefusal('astray');
  });

  it('and what was begun goes no farther then', () => {
    clientSyn();
    synAck(CLIENT.port, 1_000, strangers);
    dial();
    probeSyn();
    expect(goesTo()).toHaveLength(1);
    serverSays(toClient);
    probeSyn();
    expectRefusal('astray');
  });

  it.each([
    ['whose numbers are not the connection’s', toClient, { seq: 0x7000_0000 }],
    ['that acknowledges nothing of it', toClient, { ack: 0x7000_0000 }],
    ['from the client’s side', { ...toServer, port: FAR_PORT }, {}],
  ])('nor keeps one from its way by what is like the server’s, %s', (_, at, fields) => {
    clientSyn();
    synAck(CLIENT.port, 1_000);
    serverSays({ ...at, link: STRANGER }, fields);
    expect(probe()).toEqual(GENUINE);
  });

  it('by the shape of a SYN that is not let pass', () => {
    begin('client');
    clientSyn();
    synAck(CLIENT.port, 1_000);
    packet({ srcPort: CLIENT.port, flags: ack, seq: 1_000, ack: 71 }, toServer);
    packet(
      { srcPort: CLIENT.port, flags: syn, options: [2, 4, 5, 0xb4], seq: 4_242, ack: 0 },
      { ...toServer, link: STRANGER },
    );
    expect(kinds()).toContain('drop');
    probe();
    const frame = done.find(([kind]) => kind === 'frame')![2]!;
    const [ip, tcp] = [new IpView(), new TcpView()];
    ip.parse(frame, 14, frame.length);
    tcp.parse(ip);
    expect([...frame.subarray(14 + 40)]).toEqual(OPTIONS);
  });
});

it('a client whose SYN nothing else can be like is asked for over its bridge all the same', () => {
  // Accurate ECN (RFC 9768): in each of its packets there is more than a socket here would write.
  packet(
    { srcPort: CLIENT.port, flags: syn, options: [...OPTIONS, 30, 4, 0, 0, 2, 4, 5, 0xb4], seq: 999, ack: 0 },
    toServer,
  );
  synAck(CLIENT.port, 1_000);
  dial();
  probeSyn();
  expect(goesTo()).toEqual(GENUINE);
  expect(engine.counters).toMatchObject({ probesRewritten: 0, probesPassed: 1 });
  synAck(PROBE, 5_001);
  expect(kinds()).toContain('received');
});

it('a SYN in the name of a client and its probe keeps no answer from that, unless it comes as the client’s own do', () => {
  clientSyn();
  synAck(CLIENT.port, 1_000);
  dial();
  probeSyn();
  const begins = (at: At, options = OPTIONS) => packet({ srcPort: PROBE, flags: syn, options, seq: 777, ack: 0 }, at);
  begins({ ...toServer, link: STRANGER });
  begins({ ...toServer, port: NEAR_PORT });
  synAck(PROBE, 5_001);
  expect(kinds()).toContain('received');
  begins(toServer, [30, 4, 0, 0, 2, 4, 5, 0xb4, 2, 4, 5, 0xb4]);
  synAck(PROBE, 778);
  expect(kinds()).toEqual(['accept', 'flush']);
});

it('a port by which the client has begun a connection is no probe’s, which hears so', () => {
  clientSyn();
  synAck(CLIENT.port, 1_000);
  packet({ srcPort: PROBE, flags: syn, options: OPTIONS, seq: 777, ack: 0 }, toServer);
  dial();
  probeSyn();
  expectRefusal('taken');
  synAck(PROBE, 778);
  expect(kinds()).toEqual(['accept', 'flush']);
});

it('what is answered is a probe’s for as long as it may take, and never a SYN', () => {
  clientSyn();
  synAck(CLIENT.port, 1_000);
  dial();
  probeSyn();
  packet({ srcPort: 443, dstPort: PROBE, flags: syn, seq: 70, ack: 0 }, toClient);
  expect(kinds()).not.toContain('received');
  now += policy().probe.timeout * 1_000;
  synAck(PROBE, 5_001);
  expect(kinds()).toContain('received');
  now += 11e6;
  synAck(PROBE, 5_001);
  expect(kinds()).not.toContain('received');
});

it('of either family a frame says which, and what comes in has no other mark than its type of service', () => {
  const link = { client: 0xff_ff_ff_ff_ff_ff };
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
