import fc from 'fast-check';

import { isFault } from '../../src/bytes/fault.ts';
import { parseCertificateList } from '../../src/tls/certificate.ts';
import { parseClientHello } from '../../src/tls/client-hello.ts';
import { parseServerHello } from '../../src/tls/server-hello.ts';
import { parseServerKeyExchange } from '../../src/tls/server-key-exchange.ts';
import { parseSsl2ClientHello, parseSsl2ServerHello } from '../../src/tls/ssl2.ts';
import { certificate } from '../support/certificates.ts';
import { copiedOctets, fuzz } from '../support/fuzz.ts';
import { type Fed, watch } from '../support/handshake-recorder.ts';
import { mutated } from '../support/mutation.ts';
import * as tls from '../support/tls-bytes.ts';

const DER = certificate('leaf');
const hello = tls.clientHelloMessage({ name: 'www.bank.example', ticket: Buffer.alloc(9), alpns: ['h2', 'http/1.1'] });
const hello13 = tls.clientHelloMessage({ name: 'www.bank.example', supportedVersions: [0x0304], psk: true, ech: true });
const flight = Buffer.concat([
  tls.serverHello({ suite: 0xc02f, ticket: true }),
  tls.certificateMessageOf(DER, Buffer.from('another')),
  tls.serverKeyExchange(),
  tls.serverHelloDone,
]);
const streams: readonly Fed[] = [
  ['client', tls.record(22, hello)],
  ['client', tls.record(22, hello13)],
  ['server', tls.record(22, flight)],
  ['server', tls.records(22, flight, 100)],
  ['server', tls.record(22, tls.serverHello13)],
  ['server', tls.record(22, tls.helloRetryRequest)],
  ['server', Buffer.concat([tls.changeCipherSpec, tls.finished, tls.applicationData])],
  ['server', Buffer.concat([tls.alert('warning', 112), tls.record(22, tls.newSessionTicket(Buffer.alloc(70)))])],
  ['client', tls.clientFinish],
  ['client', tls.ssl2ClientHello()],
  ['server', tls.ssl2ServerHello(DER)],
];
const piece = fc.integer({ min: 0, max: streams.length - 1 }).chain((index) => {
  const [side, octets] = streams[index]!;
  return mutated(octets).map((changed): Fed => [side, changed]);
});

/** Neither how a conversation is cut nor what is in it may matter to anything but what is reported. */
function watchBothWays(fed: readonly Fed[], size: number, isSsl2: boolean, clientFirst: boolean): void {
  const total = fed.reduce((sum, [, octets]) => sum + octets.length, 0);
  let whole: string[] = [];
  let cut: string[] = [];
  const copied = copiedOctets(() => {
    whole = watch(fed, { isSsl2, clientFirst }).lines;
    cut = watch(fed, { isSsl2, clientFirst, size }).lines;
  });
  if (whole.join('\n') !== cut.join('\n')) throw new Error(`${cut.join('\n')}\nand not\n${whole.join('\n')}`);
  if (copied > 16 * total + 65_536) throw new Error(`${copied} octets copied of ${total}`);
}

const parsers: Record<string, (body: Uint8Array) => object> = {
  clientHello: parseClientHello,
  serverHello: parseServerHello,
  certificate: (body) => parseCertificateList(body, 16),
  ecdhe: (body) => parseServerKeyExchange(body, 'ecdhe', 0x0303),
  dhe: (body) => parseServerKeyExchange(body, 'dhe', 0x0301),
  ssl2ClientHello: parseSsl2ClientHello,
  ssl2ServerHello: parseSsl2ServerHello,
};
const bodies = [hello.subarray(4), hello13.subarray(4), flight.subarray(4), tls.certificateMessageOf(DER).subarray(4)];

fuzz({
  'conversations in any pieces': fc.property(
    fc.array(piece, { maxLength: 12 }),
    fc.integer({ min: 1, max: 40 }),
    fc.boolean(),
    fc.boolean(),
    watchBothWays,
  ),
  'parsers of anything': fc.property(
    fc.constantFrom(...Object.keys(parsers)),
    fc.oneof(fc.uint8Array({ maxLength: 200 }), ...bodies.map(mutated)),
    (name, body) => {
      const before = Uint8Array.from(body);
      const parsed = parsers[name]!(body);
      if (isFault(parsed) && !/^tls\./.test(parsed.code)) throw new Error(parsed.code);
      if (Buffer.compare(before, body) !== 0) throw new Error('the octets were changed');
    },
  ),
});
