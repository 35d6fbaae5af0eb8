/**
 * A real handshake of TLS 1.2 (ECDHE-RSA, a chain of two, a session ticket) out of fixtures/flows/tls12.pcap: its octets
 * in turn, for peers that play them and for an engine without a network. Both randoms are recorded, so the server's
 * signature over them verifies each time.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const FIXTURE = join(import.meta.dirname, '../../fixtures/flows/tls12.pcap');
export const HOST = 'www.bank.example';

/** Frames as { octets (from Ethernet on), ip (offset), payload (offset), fromClient }. */
export function readFrames(capture = readFileSync(FIXTURE)) {
  const frames = [];
  for (let at = 24; at < capture.length;) {
    const length = capture.readUInt32LE(at + 8);
    const octets = capture.subarray(at + 16, at + 16 + length);
    const tcp = ETHERNET + (octets[ETHERNET] & 0x0f) * 4;
    const payload = tcp + (octets[tcp + 12] >> 4) * 4;
    const end = ETHERNET + octets.readUInt16BE(ETHERNET + 2);
    frames.push({
      octets,
      tcp,
      payload: octets.subarray(payload, end),
      fromClient: octets.readUInt16BE(tcp + 2) === 443,
    });
    at += 16 + length;
  }
  return frames;
}

export function readRecording() {
  const flights = [];
  for (const { payload, fromClient } of readFrames()) {
    if (payload.length === 0) continue;
    const last = flights.at(-1);
    if (last?.fromClient === fromClient) last.octets = Buffer.concat([last.octets, payload]);
    else flights.push({ fromClient, octets: payload });
  }
  const [, answer, , finish] = flights;
  const { handshake, data } = partsOf(finish.octets);
  const leaf = leafOf(answer.octets);
  const serial = Buffer.from(leaf.serialNumber, 'hex');
  const offset = answer.octets.indexOf(serial);
  if (offset < 0) throw new Error(`${FIXTURE}: the leaf's serial number is not where it was`);
  return {
    /** From the ClientHello to close_notify. */
    whole: flights,
    /**
     * Up to the client's first request: with that it believes the server. The recorded client had nothing to ask, so it
     * borrows a record of application data from the server; nobody here can read either.
     */
    opening: [...flights.slice(0, 3), { ...finish, octets: handshake }, { fromClient: true, octets: data }],
    /** Octets of the leaf's serial number but the first, which has its sign: flight, offset, length. */
    varied: `1:${offset + 1}:${serial.length - 1}`,
    leaf,
  };
}

/** What test/bench/peers/script.h reads. */
export function toScript(flights) {
  return Buffer.concat(
    flights.flatMap(({ fromClient, octets }) => {
      const head = Buffer.alloc(5);
      head.write(fromClient ? 'C' : 'S', 'latin1');
      head.writeUInt32LE(octets.length, 1);
      return [head, octets];
    }),
  );
}

/** Records follow one another, a message each, as this server sends them: the second one is Certificate. */
function leafOf(flight) {
  const certificate = 5 + flight.readUInt16BE(3);
  const first = certificate + 5 + 4 + 3;
  return new X509Certificate(flight.subarray(first + 3, first + 3 + flight.readUIntBE(first, 3)));
}

/** NewSessionTicket, ChangeCipherSpec and Finished; and the record of application data behind them. */
function partsOf(flight) {
  let at = 0;
  while (flight[at] !== APPLICATION_DATA) at += lengthOfRecord(flight, at);
  return { handshake: flight.subarray(0, at), data: flight.subarray(at, at + lengthOfRecord(flight, at)) };
}

function lengthOfRecord(flight, at) {
  return 5 + flight.readUInt16BE(at + 3);
}

const ETHERNET = 14;
const APPLICATION_DATA = 23;
