import fc from 'fast-check';

import { Engine } from '../../src/engine/engine.ts';
import { FIELD, type PacketBatch } from '../../src/packet/batch.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { bank, HOST, genuineFlight, forgedFlight } from '../support/flows.ts';
import { copiedOctets, fuzz } from '../support/fuzz.ts';
import { ipv4, ipv6, tcpSegment } from '../support/ip-bytes.ts';
import { mutated } from '../support/mutation.ts';
import { policy } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';

const FLOWS = 4;
const HELD = 3;
const payloads: readonly Buffer[] = [
  Buffer.alloc(0),
  tls.clientHello(HOST),
  tls.clientHello('other.example'),
  genuineFlight,
  forgedFlight,
  tls.clientFinish,
  Buffer.from('EHLO example.org\r\nSTARTTLS\r\n'),
  Buffer.from('220 ready\r\n250-STARTTLS\r\n250 ok\r\n'),
];

interface Sent {
  readonly packet: Buffer;
  readonly inIfindex: number;
  readonly flags: number;
  readonly connmark: number;
  readonly ctid: number;
  readonly wait: number;
}

/** Packets of few endpoints with numbers that are near one another, some of them spoiled. */
const packet = fc
  .record({
    toServer: fc.boolean(),
    client: fc.nat(5),
    isV6: fc.constantFrom(false, false, true),
    flags: fc.constantFrom(0x02, 0x12, 0x10, 0x18, 0x18, 0x11, 0x04, 0x14, 0x00, 0x03, 0x38),
    seq: fc.constantFrom(1000, 1001, 1001, 1010, 1301, 5000, 5001, 5001, 5010, 0xfffffff0),
    ack: fc.constantFrom(0, 1001, 1001, 1301, 5001, 5001, 5100, 9000),
    payload: fc.nat(payloads.length - 1),
    from: fc.constantFrom(0, 0, 0, 5, 100),
    to: fc.constantFrom(9999, 9999, 9999, 10, 300),
  })
  .chain((f) => {
    const data = payloads[f.payload]!.subarray(f.from, f.to);
    const ports = f.toServer
      ? { srcPort: 40_000 + f.client, dstPort: 443 }
      : { srcPort: 443, dstPort: 40_000 + f.client };
    const segment = tcpSegment({ ...ports, flags: f.flags, seq: f.seq, ack: f.ack, data });
    const [a, b] = f.toServer ? ['10.0.0.1', '192.0.2.1'] : ['192.0.2.1', '10.0.0.1'];
    const whole = f.isV6 ? ipv6(segment) : ipv4(segment, { source: a, destination: b });
    return fc.oneof({ weight: 12, arbitrary: fc.constant(whole) }, { weight: 1, arbitrary: mutated(whole) });
  });

const sent: fc.Arbitrary<Sent> = fc.record({
  packet,
  inIfindex: fc.constantFrom(2, 2, 3),
  flags: fc.constantFrom(0x8, 0x8, 0x8, 0x9, 0xa, 0xc, 0, 0x18),
  connmark: fc.constantFrom(0, 0, 0x1000000, 0x2000000, 0x3000000, 0xffffffff),
  ctid: fc.constantFrom(0, 0, 0, 7),
  wait: fc.constantFrom(0, 0, 1000, 40_000, 3_000_000, 80_000_000),
});

function run(packets: readonly Sent[], live: boolean): void {
  const verdicts = new Map<number, number>();
  let now = 1_700_000_000_000_000;
  const later: (() => void)[] = [];
  const engine = new Engine({
    policy: policy({ pinsets: [bank()], limits: { ...LIMIT_DEFAULTS, flows: FLOWS, heldPacketsQueue: HELD } }),
    verdicts: {
      verdict: (id) => void verdicts.set(id, (verdicts.get(id) ?? 0) + 1),
      flush: () => undefined,
    },
    events: { emit: () => undefined },
    clock: { now: () => now, wallTime: () => now },
    examiner: {
      examine: (_request, done) => void later.push(() => done(chainFacts())),
    },
    proves: () => true,
    live,
  });
  let octets = 0;
  const copied = copiedOctets(() => {
    for (const [index, each] of packets.entries()) {
      now += each.wait;
      octets += each.packet.length;
      const words = new Uint32Array(FIELD.ROW);
      words.set([index + 1, 0, each.packet.length, 0, each.connmark, each.ctid, 2, each.inIfindex, 0, each.flags]);
      words[FIELD.timeSeconds] = Math.floor(now / 1e6);
      words[FIELD.timeMicros] = now % 1e6;
      const batch: PacketBatch = { slab: Buffer.from(each.packet), words, count: 1 };
      engine.onBatch(batch);
      batch.slab.fill(0xdd);
      if (index % 3 === 0) engine.tick();
      if (index % 7 === 0) later.shift()?.();
      if (engine.flows > FLOWS || engine.heldPackets > HELD) throw new Error('more than the limits');
      const waiting = index + 1 - verdicts.size;
      if (waiting !== engine.heldPackets) throw new Error(`${waiting} wait, ${engine.heldPackets} are counted`);
    }
  });
  engine.finish();
  for (const each of later) each();
  const wrong = packets.findIndex((_, index) => verdicts.get(index + 1) !== 1);
  if (wrong >= 0) throw new Error(`packet ${wrong + 1} has ${verdicts.get(wrong + 1) ?? 0} verdicts`);
  if (copied > 8 * octets + 4096 * packets.length) throw new Error(`${copied} octets copied of ${octets}`);
}

fuzz({
  'packets of any kind, live': fc.property(fc.array(sent, { maxLength: 60, size: 'max' }), (packets) =>
    run(packets, true),
  ),
  'packets of any kind, of a capture': fc.property(fc.array(sent, { maxLength: 60, size: 'max' }), (packets) =>
    run(packets, false),
  ),
});
