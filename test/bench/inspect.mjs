/**
 * How fast captures are read: fixtures/flows/tls12.pcap again and again, each time between other addresses, 64
 * conversations under way at once, until the file is large; `tlspin inspect` and another reader of it in turn. All of
 * that fixture is handshake; in the other kind of capture data follows.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';

import { FIXTURE, readFrames } from './recording.mjs';
import { median } from './rounds.mjs';

/**
 * One thread beside another reader. `reader`: `tshark`, `ndpiReader` or `suricata`; `kind`: `handshakes` or `data`;
 * `work`: `certificates` where it is to print names and certificates as well.
 */
export function measureInspection(reader, kind, plan, work = 'packets') {
  const { tools, short } = plan;
  if (tools[reader] === null) return { measured: null, ratios: [], why: `${reader} is missing` };
  return inTurns(kind, SIZES[reader][short ? 'short' : 'long'], plan, (capture) => ({
    tlspin: inspecting(capture, 1),
    [reader]: COMMANDS[reader](tools[reader], capture, work),
  }));
}

/** As many threads as there are CPUs, beside one. */
export function measureThreads(kind, plan) {
  return inTurns(kind, SIZES.threads, plan, (capture) => ({
    threads: inspecting(capture, availableParallelism()),
    'one thread': inspecting(capture, 1),
  }));
}

function inspecting(capture, threads) {
  return ['node', TLSPIN, 'inspect', '--threads', String(threads), capture];
}

/** The first side's speed to the second's. */
async function inTurns(kind, size, { scratch, rounds }, sidesOf) {
  const capture = makeCapture(join(scratch, `${kind}-${size}.pcap`), KINDS[kind](readFrames()), size);
  const { size: octets } = statSync(capture);
  const sides = sidesOf(capture);
  const [own, other] = Object.keys(sides);
  const speeds = { [own]: [], [other]: [] };
  for (let round = 0; round < rounds; round++) {
    const names = Object.keys(sides);
    for (const side of round % 2 === 0 ? names : names.toReversed()) {
      speeds[side].push(octets / 1e6 / (await secondsOf(sides[side])));
    }
  }
  const ratios = speeds[own].map((speed, round) => speed / speeds[other][round]);
  const values = { [own]: median(speeds[own]), [other]: median(speeds[other]) };
  return { ratios, measured: median(ratios), values, outcomes: {} };
}

/** Seconds until it ends; what it says goes nowhere. */
function secondsOf([program, ...args]) {
  const began = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2_000)));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0
        ? resolve(Number(process.hrtime.bigint() - began) / 1e9)
        : reject(new Error(`${program} ended with ${code}: ${said.trim()}`)),
    );
  });
}

/** Out of a root of its own, which has what is in the capture's folder; its start, a tenth of a second, counts. */
function readBySuricata(root, capture) {
  const start = join(import.meta.dirname, 'yardsticks/suricata/start');
  const options = ['--runmode', 'single', '-k', 'none', '-r', `/mnt/${basename(capture)}`];
  return ['unshare', '--mount', start, root, dirname(capture), '', ...options];
}

function makeCapture(path, frames, size) {
  if (existsSync(path)) return path;
  const file = openSync(path, 'w');
  writeSync(file, readFileSync(FIXTURE).subarray(0, 24));
  const length = frames.reduce((sum, { octets }) => sum + 16 + octets.length, 0);
  const block = Buffer.alloc(length * AT_ONCE);
  let written = 24;
  for (let first = 0; written < size; first += AT_ONCE) {
    fillBlock(block, frames, first);
    written += writeSync(file, block);
  }
  closeSync(file);
  return path;
}

/** Conversations `first` and the ones behind it, frame by frame; a second later than the block before. */
function fillBlock(block, frames, first) {
  let at = 0;
  const seconds = 1_800_000_000 + first / AT_ONCE;
  for (const [index, { octets, fromClient }] of frames.entries()) {
    for (let conversation = first; conversation < first + AT_ONCE; conversation++) {
      block.writeUInt32LE(seconds, at);
      block.writeUInt32LE(Math.floor(((index + (conversation - first) / AT_ONCE) * 1e6) / frames.length), at + 4);
      block.writeUInt32LE(octets.length, at + 8);
      block.writeUInt32LE(octets.length, at + 12);
      octets.copy(block, at + 16);
      const client = at + 16 + (fromClient ? SOURCE : DESTINATION);
      block.writeUInt32BE(0x0a000000 + conversation, client);
      writeIpv4Checksum(block, at + 16 + IP);
      at += 16 + octets.length;
    }
  }
}

/** The handshake, and then records of application data from the server, an acknowledgment for every two. */
function withData(frames) {
  const last = frames.findLastIndex(({ fromClient, payload }) => !fromClient && payload.length > 200);
  const opened = frames.slice(0, last + 1);
  const bare = (fromClient) => opened.findLast((frame) => frame.fromClient === fromClient);
  const [server, client] = [bare(false), bare(true)];
  let seq = server.octets.readUInt32BE(server.tcp + 4) + server.payload.length;
  const ack = client.octets.readUInt32BE(client.tcp + 4) + client.payload.length;
  for (let segment = 0; segment < DATA / SEGMENT; segment++) {
    opened.push({ ...server, octets: rewritten(server, seq, ack, dataRecord()) });
    seq += SEGMENT;
    if (segment % 2 === 1) opened.push({ ...client, octets: rewritten(client, ack, seq, Buffer.alloc(0)) });
  }
  return opened;
}

function dataRecord() {
  const record = randomBytes(SEGMENT);
  record.writeUIntBE(0x170303, 0, 3);
  record.writeUInt16BE(SEGMENT - 5, 3);
  return record;
}

/** A frame with other numbers and another payload. */
function rewritten({ octets, tcp, payload }, seq, ack, data) {
  const frame = Buffer.concat([octets.subarray(0, octets.length - payload.length), data]);
  frame.writeUInt16BE(frame.length - IP, IP + 2);
  frame.writeUInt32BE(seq >>> 0, tcp + 4);
  frame.writeUInt32BE(ack >>> 0, tcp + 8);
  return frame;
}

/** RFC 1071, of a header without options. */
function writeIpv4Checksum(block, header) {
  block.writeUInt16BE(0, header + 10);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += block.readUInt16BE(header + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  block.writeUInt16BE(~sum & 0xffff, header + 10);
}

const COMMANDS = {
  tshark: (program, capture, work) => [program, '-r', capture, ...TSHARK[work]],
  ndpiReader: (program, capture, work) => [program, ...(work === 'certificates' ? ['-v', '2'] : ['-q']), '-i', capture],
  suricata: readBySuricata,
};
const TSHARK = {
  packets: ['-q', '-z', 'io,stat,0'],
  certificates: [
    ...['-Y', 'tls.handshake.type == 1 or tls.handshake.type == 11', '-T', 'fields'],
    ...['tls.handshake.extensions_server_name', 'x509sat.uTF8String', 'tls.handshake.certificate'].flatMap((field) => [
      '-e',
      field,
    ]),
  ],
};
const TLSPIN = join(import.meta.dirname, '../../dist/cli/main.js');
/** Octets. tshark takes minutes for a gigabyte, and the more for an octet the more there are. */
const SIZES = {
  tshark: { short: 32e6, long: 125e6 },
  ndpiReader: { short: 64e6, long: 1e9 },
  suricata: { short: 64e6, long: 1e9 },
  threads: 1e9,
};
const KINDS = { handshakes: (frames) => frames, data: withData };
const DATA = 256 * 1024;
const SEGMENT = 1448;
const AT_ONCE = 64;
const IP = 14;
const SOURCE = IP + 12;
const DESTINATION = IP + 16;
