/**
 * A real handshake of TLS 1.2 (ECDHE-RSA, a chain of two, a session ticket) out of fixtures/flows/tls12.pcap: its octets
 * in turn, for peers that play them and for an engine without a network; and another one with a key of P-256, which is
 * made when it is asked for. Both randoms are recorded, so the server's signature over them verifies each time.
 */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { connect, TLSSocket } from 'node:tls';

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
  const said = readFrames().map(({ payload, fromClient }) => ({ fromClient, octets: payload }));
  const flights = joined(said);
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

/** The same conversation, chain of two and ticket included, with a leaf of P-256. `scratch`: for its keys. */
export async function recordP256(openssl, scratch) {
  const issuer = newCertificate(openssl, join(scratch, 'p256-issuer'), 'inter', ['basicConstraints=critical,CA:true']);
  const signing = ['-CA', issuer.certificateFile, '-CAkey', issuer.keyFile];
  const bank = newCertificate(openssl, join(scratch, 'p256-leaf'), HOST, [`subjectAltName=DNS:${HOST}`], signing);
  const [ofClient, ofServer] = duplexPair();
  const said = [];
  for (const [side, fromClient] of [
    [ofClient, true],
    [ofServer, false],
  ]) {
    const write = side.write.bind(side);
    side.write = (octets, ...others) => {
      said.push({ fromClient, octets: Buffer.from(octets) });
      return write(octets, ...others);
    };
  }
  const identity = { cert: bank.certificate + issuer.certificate, key: bank.key };
  new TLSSocket(ofServer, { isServer: true, ...identity, maxVersion: 'TLSv1.2' }).end('hello');
  const options = { servername: HOST, ALPNProtocols: ['h2', 'http/1.1'], rejectUnauthorized: false };
  const client = connect({ socket: ofClient, ...options }).resume();
  await once(client, 'end');
  client.end();
  await setImmediate();
  client.destroy();
  return { whole: joined(said), leaf: new X509Certificate(bank.certificate) };
}

function newCertificate(openssl, path, name, extensions, signing = []) {
  const [keyFile, certificateFile] = [`${path}.key`, `${path}.crt`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  const what = ['-subj', `/CN=${name}`, '-days', '30', ...extensions.flatMap((each) => ['-addext', each])];
  const command = ['req', '-x509', ...key, ...what, ...signing, '-out', certificateFile];
  execFileSync(openssl, command, { stdio: 'pipe' });
  const [certificate, private_] = [certificateFile, keyFile].map((file) => readFileSync(file, 'utf8'));
  return { keyFile, certificateFile, certificate, key: private_ };
}

/** What one of them says until the other one does is a flight. */
function joined(said) {
  const flights = [];
  for (const { fromClient, octets } of said) {
    if (octets.length === 0) continue;
    const last = flights.at(-1);
    if (last?.fromClient === fromClient) last.octets = Buffer.concat([last.octets, octets]);
    else flights.push({ fromClient, octets });
  }
  return flights;
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
