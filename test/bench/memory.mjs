/**
 * What a flow costs in memory, by how far it has come, its share of the table of flows included: an engine and packets
 * that exist only here, in a process of their own, before and after a hundred thousand flows.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { FIELD, FLAG } from '../../dist/packet/batch.js';
import { readRecording } from './recording.mjs';

/** `state`: `half-open`, `open` (no ClientHello yet), `decided`. */
export function measureMemory(state, { scratch }) {
  const args = ['--expose-gc', import.meta.filename, state, String(FLOWS), scratch];
  const text = execFileSync('node', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const { total, flow, table } = JSON.parse(text);
  return { measured: total, ratios: [], values: { 'the flow': flow, 'its share of an empty table': table } };
}

async function main(state, count, scratch) {
  const { Engine } = await import('../../dist/engine/engine.js');
  const { loadPolicy } = await import('../../dist/pins/load.js');
  const { configurations } = await import('./configurations.mjs');
  const recording = readRecording();
  const file = join(scratch, 'memory.json');
  writeFileSync(file, JSON.stringify({ ...configurations(recording.leaf).pinned(), limits: { flows: count } }));
  const { policy, errors } = loadPolicy(file);
  if (errors !== undefined) throw new Error(errors.map(({ text }) => text).join('\n'));

  const kernel = new Kernel(count);
  const packets = packetsTo(state, recording.opening);
  const create = () =>
    new Engine({
      policy,
      verdicts: kernel,
      events: { emit: () => {} },
      clock: { now: () => NOW_SECONDS * 1e6, wallTime: () => NOW_SECONDS * 1e6 },
      examiner: { examine: () => {} },
      // The octets that are signed are no part of what is measured.
      proves: () => true,
      live: true,
    });
  const fill = (engine, flows) => {
    kernel.accepted = 0;
    for (let flow = 0; flow < flows; flow++) for (const packet of packets) kernel.deliver(engine, flow, packet);
  };

  fill(create(), 1_000);
  const nothing = inUse();
  const engine = create();
  const empty = inUse();
  fill(engine, count);
  const full = inUse();
  const marked = state === 'decided' ? count : 0;
  if (engine.flows !== count || kernel.accepted !== marked || kernel.dropped > 0) {
    throw new Error(`${engine.flows} flows, ${kernel.accepted} with an accept mark, ${kernel.dropped} packets dropped`);
  }
  const [table, flow] = [(empty - nothing) / count, (full - empty) / count];
  console.log(JSON.stringify({ total: table + flow, flow, table }));
}

/** Heap and what hangs from it. */
function inUse() {
  for (let time = 0; time < 4; time++) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** { fromClient, seq, ack, flags, data }: all of one flow up to the state. */
function packetsTo(state, flights) {
  const [syn, ack] = [0x02, 0x10];
  const packets = [
    { fromClient: true, seq: CLIENT_ISN, ack: 0, flags: syn },
    { fromClient: false, seq: SERVER_ISN, ack: CLIENT_ISN + 1, flags: syn | ack },
  ];
  if (state === 'half-open') return packets.slice(0, 1);
  let [client, server] = [CLIENT_ISN + 1, SERVER_ISN + 1];
  packets.push({ fromClient: true, seq: client, ack: server, flags: ack });
  if (state === 'open') return packets;
  for (const { fromClient, octets } of flights) {
    packets.push({
      fromClient,
      seq: fromClient ? client : server,
      ack: fromClient ? server : client,
      flags: ack,
      data: octets,
    });
    if (fromClient) client += octets.length;
    else server += octets.length;
  }
  return packets;
}

/** Delivers packets one at a time, keeps each connection's mark, and counts what becomes of them. */
class Kernel {
  accepted = 0;
  dropped = 0;
  #batch;
  #connmarks;
  #flow = 0;
  #id = 0;

  constructor(flows) {
    this.#batch = { slab: Buffer.alloc(4096), words: new Uint32Array(FIELD.ROW), count: 1 };
    this.#connmarks = new Uint32Array(flows);
  }

  deliver(engine, flow, { fromClient, seq, ack, flags, data = NOTHING }) {
    const { slab, words } = this.#batch;
    this.#flow = flow;
    // Few clients: the sessions that each may resume are kept apart from flows, and have a bound of their own.
    const client = { address: 0x0a000001 + (flow >> 15), port: 0x4000 + (flow & 0x7fff) };
    const [from, to] = fromClient ? [client, SERVER] : [SERVER, client];
    slab.writeUInt32BE(0x45000000 + 40 + data.length, 0);
    slab.writeUInt32BE(0, 4);
    slab.writeUInt32BE(0x40060000, 8);
    slab.writeUInt32BE(from.address, 12);
    slab.writeUInt32BE(to.address, 16);
    slab.writeUInt16BE(from.port, 20);
    slab.writeUInt16BE(to.port, 22);
    slab.writeUInt32BE(seq, 24);
    slab.writeUInt32BE(ack, 28);
    slab.writeUInt32BE((0x50000000 + flags * 0x10000 + 0xffff) >>> 0, 32);
    slab.writeUInt32BE(0, 36);
    data.copy(slab, 40);
    words.fill(0);
    words[FIELD.packetId] = ++this.#id;
    words[FIELD.length] = 40 + data.length;
    words[FIELD.connmark] = this.#connmarks[flow];
    words[FIELD.flags] = FLAG.csumNotReady | FLAG.hasConnmark;
    words[FIELD.inIfindex] = fromClient ? 2 : 3;
    words[FIELD.timeSeconds] = NOW_SECONDS;
    engine.onBatch(this.#batch);
  }

  verdict(id, verdict, options) {
    if (verdict === 0) this.dropped++;
    if (options?.connmark === undefined) return;
    const { value, mask } = options.connmark;
    this.#connmarks[this.#flow] = (this.#connmarks[this.#flow] & ~mask) | value;
    if (value === ACCEPT_MARK) this.accepted++;
  }

  flush() {}
}

const FLOWS = 100_000;
const NOTHING = Buffer.alloc(0);
const SERVER = { address: 0xc6336402, port: 443 };
const [CLIENT_ISN, SERVER_ISN] = [randomBytes(3).readUIntBE(0, 3), randomBytes(3).readUIntBE(0, 3)];
const NOW_SECONDS = 1_800_000_000;
const ACCEPT_MARK = 0x1000000;

if (process.argv[1] === import.meta.filename) {
  const [state, count, scratch] = process.argv.slice(2);
  await main(state, Number(count), scratch);
}
