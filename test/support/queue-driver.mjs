/**
 * A process that holds one queue with the built NfqueueSource and does with packets what its parent says. Spoken to by
 * IPC: it sends { started }, { failed }, { packets } and answers to { command }.
 */
import { closeSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { NfqueueSource } from '../../dist/source/nfqueue.js';
import { FIELD, NF_ACCEPT, NF_DROP } from '../../dist/packet/batch.js';

const { mode = 'accept', options, connmark, blockAfter = 0 } = JSON.parse(process.argv[2]);
const source = new NfqueueSource(options);
const held = [];
const errors = [];

/** The datagram with each 'a' made a 'b' and no UDP checksum. */
function rewritten(packet) {
  const copy = Buffer.from(packet);
  const udp = (copy[0] & 15) * 4;
  copy.writeUInt16BE(0, udp + 6);
  for (let i = udp + 8; i < copy.length; i++) if (copy[i] === 0x61) copy[i] = 0x62;
  return copy;
}

function decide(packetId, packet) {
  if (mode === 'hold') return held.push(packetId);
  if (mode === 'drop') return source.verdict(packetId, NF_DROP);
  if (mode === 'empty') return source.verdict(packetId, NF_ACCEPT, { payload: new Uint8Array(0) });
  if (mode === 'rewrite') return source.verdict(packetId, NF_ACCEPT, { payload: rewritten(packet) });
  if (mode === 'mark') return source.verdict(packetId, NF_ACCEPT, { connmark });
  // Only the first packet sets the connmark.
  if (mode === 'mark-first' && packetId === 1) return source.verdict(packetId, NF_ACCEPT, { connmark });
  if (mode === 'twice') source.verdict(packetId, NF_ACCEPT);
  source.verdict(packetId, NF_ACCEPT);
}

const sink = {
  onBatch({ slab, words, count }) {
    const packets = [];
    for (let row = 0; row < count * FIELD.ROW; row += FIELD.ROW) {
      const packet = {};
      for (const [name, column] of Object.entries(FIELD)) if (name !== 'ROW') packet[name] = words[row + column];
      const octets = slab.subarray(packet.offset, packet.offset + packet.length);
      packet.head = octets.subarray(0, 60).toString('hex');
      packets.push(packet);
      decide(packet.packetId, octets);
    }
    source.flush();
    process.send({ packets });
    if (blockAfter > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockAfter);
  },
  onSourceError: (error) => errors.push(error.message),
  onSourceLost: (error) => errors.push(`lost: ${error.message}`),
};

/** Closes the queue's socket behind its back. */
function loseSocket() {
  const netlink = readFileSync('/proc/self/net/netlink', 'latin1').split('\n').slice(1);
  const NETLINK_NETFILTER = '12';
  const inodes = netlink
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1] === NETLINK_NETFILTER)
    .map((columns) => columns.at(-1));
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      if (inodes.includes(inode)) closeSync(Number(fd));
    } catch {
      // the directory that is being read
    }
  }
}

process.on('message', async ({ command, connmarks }) => {
  if (command === 'stats') process.send({ stats: source.stats(), errors });
  if (command === 'lose') loseSocket();
  if (command === 'release') {
    for (const [index, packetId] of held.splice(0).entries()) {
      source.verdict(packetId, NF_ACCEPT, { connmark: connmarks[index] });
    }
    source.flush();
  }
  if (command === 'stop') {
    await source.stop();
    process.disconnect();
  }
});

try {
  await source.start(sink);
  process.send({ started: { route: source.route, pid: process.pid } });
} catch (error) {
  process.send({ failed: { name: error.name, message: error.message, code: error.code } });
  process.disconnect();
}
