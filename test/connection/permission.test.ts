/**
 * What the client may have of the server's octets while nothing is decided: each name by which they are permitted, and
 * exactly how many octets that is. One octet fewer permitted fails here, and one more as well.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { Permission, PERMITTED, type PermittedName } from '../../src/connection/permission.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { KeyLogStore } from '../../src/source/key-log-store.ts';
import { parseKeyLog } from '../../src/source/key-log.ts';
import { FORGED, GENUINE, HOST, opened } from '../support/flows.ts';
import { record, type Recording } from '../support/recorded.ts';
import * as tls from '../support/tls-bytes.ts';
import { Asked, flights, forged, genuine, pinned } from '../support/tls13-flows.ts';
import { Wire } from '../support/wire.ts';

let toGenuine: Recording;
let toForged: Recording;
beforeAll(async () => {
  toGenuine = await record({ identity: genuine });
  toForged = await record({ identity: forged });
});

const hello = tls.clientHello({ name: HOST, supportedVersions: [0x0304, 0x0303] });
const flight = (...messages: readonly Uint8Array[]) => tls.record(22, Buffer.concat(messages));
const ECDHE = tls.serverHello(0xc02f);
/** Records of a flight, by where they end. */
function ends(octets: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + 5 <= octets.length; found.push(at)) at += 5 + octets.readUInt16BE(at + 3);
  return found;
}
/** ServerHello, ChangeCipherSpec, EncryptedExtensions, Certificate, CertificateVerify, Finished. */
const RECORD = { changeCipherSpec: 1, certificate: 3, certificateVerify: 4 };

interface Case {
  /** Up to where the server speaks. */
  begin(): Wire;
  readonly octets: () => Buffer;
  /** As many of them as the client may have, whatever pieces they come in. */
  readonly permitted: (octets: Buffer) => number;
  /** In one piece, where that is not the same. */
  readonly atOnce?: (octets: Buffer) => number;
}

/** Nothing waits longer than for what is not permitted. */
const limits = { ...LIMIT_DEFAULTS, heldAheadTime: 1, keylogWait: 60_000 };
const greeted = (fields = {}, options = {}) => {
  const wire = opened({ limits, ...fields }, options);
  wire.fromClient(hello);
  return wire;
};
const logging = (recording: Recording, isLogged: boolean) => {
  const keylog = new KeyLogStore();
  const wire = new Wire({ limits, ...pinned({ tls13: 'keylog' }) }, { keylog, prober: new Asked() }).open();
  wire.fromClient(flights(recording).hello);
  if (isLogged) parseKeyLog(recording.keyLog).forEach((secret) => keylog.add(secret));
  return wire;
};
const upgrading = () => {
  const wire = opened({ limits });
  wire.fromServer('220 mail\r\n');
  wire.fromClient('EHLO x\r\n');
  wire.fromServer('250 STARTTLS\r\n');
  wire.fromClient('STARTTLS\r\n');
  return wire;
};
const all = (octets: Buffer) => octets.length;

const cases: Readonly<Record<PermittedName, Case>> = {
  preamble: { begin: () => opened({ limits }), octets: () => Buffer.from('220 mail\r\n'), permitted: all },
  upgrade: { begin: upgrading, octets: () => Buffer.from('220 go\r\n'), permitted: all },
  'ahead-of-hello': {
    begin: () => opened({ limits }),
    octets: () => Buffer.concat([flight(tls.helloRequest), tls.alert('warning', 112), Buffer.from([22, 3])]),
    permitted: () => 9 + 7,
    atOnce: () => 0,
  },
  'hello-part': { begin: greeted, octets: () => flight(ECDHE).subarray(0, 40), permitted: all },
  'hello-retry-request': { begin: greeted, octets: () => flight(tls.helloRetryRequest), permitted: all },
  'server-hello': {
    begin: greeted,
    octets: () => flight(ECDHE, tls.certificateMessage(FORGED)).subarray(0, -1),
    permitted: all,
  },
  certificate: {
    begin: greeted,
    octets: () => flight(ECDHE, tls.certificateMessage(GENUINE), tls.serverKeyExchange()).subarray(0, -1),
    permitted: all,
  },
  proof: {
    begin: () => greeted({}, { proves: () => true }),
    octets: () =>
      flight(ECDHE, tls.certificateMessage(GENUINE), tls.serverKeyExchange(), tls.serverHelloDone).subarray(0, -1),
    permitted: all,
  },
  'logged-server-hello': {
    begin: () => logging(toForged, false),
    octets: () => flights(toForged).server.subarray(0, ends(flights(toForged).server)[RECORD.changeCipherSpec]! + 20),
    permitted: all,
  },
  'sealed-from': {
    begin: () => logging(toForged, false),
    octets: () => flights(toForged).server,
    // One octet at a time, the first encrypted record goes but for its last one.
    permitted: (octets) => ends(octets)[RECORD.changeCipherSpec + 1]! - 1,
    atOnce: (octets) => ends(octets)[RECORD.changeCipherSpec]!,
  },
  'encrypted-part': {
    begin: () => logging(toForged, true),
    octets: () => flights(toForged).server.subarray(0, ends(flights(toForged).server)[RECORD.certificate]! - 1),
    permitted: all,
  },
  'encrypted-certificate': {
    begin: () => logging(toGenuine, true),
    octets: () => flights(toGenuine).server.subarray(0, ends(flights(toGenuine).server)[RECORD.certificateVerify]! - 1),
    permitted: all,
  },
};

/** Octets at the client when each segment has had its time. */
function letGo(wire: Wire, octets: Buffer, size: number): number {
  const before = wire.atClient.stream.length;
  for (let at = 0; at < octets.length; at += size) {
    wire.fromServer(octets.subarray(at, at + size));
    wire.wait(2);
  }
  return wire.atClient.stream.length - before;
}

it('every name by which something is permitted has its case here', () => {
  expect(Object.keys(cases)).toEqual(Object.keys(PERMITTED));
});

describe.each(Object.entries(cases))('%s', (_, { begin, octets, permitted, atOnce = permitted }) => {
  it('is permitted octet by octet, up to an exact one, with nothing decided', () => {
    const wire = begin();
    expect(letGo(wire, octets(), 1)).toBe(permitted(octets()));
    expect(wire.verdicts).toEqual([]);
  });

  it('and at once', () => {
    const wire = begin();
    expect(letGo(wire, octets(), Infinity)).toBe(atOnce(octets()));
    expect(wire.verdicts).toEqual([]);
  });
});

it('what was permitted once may be with the client already: it is never taken back', () => {
  const permission = new Permission();
  permission.permit(100, 'server-hello');
  permission.permit(60, 'certificate');
  expect({ offset: permission.offset, name: permission.name }).toEqual({ offset: 100, name: 'server-hello' });
});

it('what is permitted by two names goes by the first', () => {
  const permission = new Permission();
  permission.permit(100, 'server-hello');
  permission.permit(100, 'certificate');
  expect(permission.name).toBe('server-hello');
});
