/**
 * How fast captures are read: fixtures/flows/tls12.pcap again and again, each time between other addresses, 64
 * conversations under way at once, until the file is large; `tlspin inspect` and another reader of it in turn.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { FIXTURE, readFrames } from './recording.mjs';
import { median } from './rounds.mjs';

/** `reader`: `tshark` or `ndpiReader`. */
export async function measureInspection(reader, { scratch, short, rounds, tools }) {
  if (tools[reader] === null) return { measured: null, ratios: [], why: `${reader} is missing` };
  // tshark takes a hundred times as long, the longer the capture the more so: it is given an eighth.
  const size = (short ? 64e6 : 1e9) / (reader === 'tshark' ? 8 : 1);
  const capture = makeCapture(join(scratch, `${size}.pcap`), size);
  const { size: octets } = statSync(capture);
  const sides = {
    tlspin: ['node', TLSPIN, 'inspect', capture],
    [reader]: [tools[reader], ...ARGUMENTS[reader](capture)],
  };
  const speeds = { tlspin: [], [reader]: [] };
  for (let round = 0; round < rounds; round++) {
    const names = Object.keys(sides);
    for (const side of round % 2 === 0 ? names : names.toReversed()) {
      speeds[side].push(octets / 1e6 / (await secondsOf(sides[side])));
    }
  }
  const ratios = speeds.tlspin.map((speed, round) => speed / speeds[reader][round]);
  const values = { tlspin: median(speeds.tlspin), [reader]: median(speeds[reader]) };
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

function makeCapture(path, size) {
  if (existsSync(path)) return path;
  const frames = readFrames();
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
      block.writeUInt32LE(index * 10_000 + (conversation - first) * 100, at + 4);
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

/** RFC 1071, of a header without options. */
function writeIpv4Checksum(block, header) {
  block.writeUInt16BE(0, header + 10);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += block.readUInt16BE(header + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  block.writeUInt16BE(~sum & 0xffff, header + 10);
}

const ARGUMENTS = {
  tshark: (capture) => ['-q', '-z', 'io,stat,0', '-r', capture],
  ndpiReader: (capture) => ['-q', '-i', capture],
};
const TLSPIN = join(import.meta.dirname, '../../dist/cli/main.js');
const AT_ONCE = 64;
const IP = 14;
const SOURCE = IP + 12;
const DESTINATION = IP + 16;
