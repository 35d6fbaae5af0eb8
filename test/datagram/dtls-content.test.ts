/** What headers tell of a datagram of DTLS, datagram by datagram. */
import { describe, expect, it } from 'vitest';

import { contentOf, dtlsRole, firstHelloRandom, goesOn, onlyAsks } from '../../src/datagram/dtls-content.ts';
import { readDtlsRecords } from '../../src/tls/dtls-record.ts';
import * as dtls from '../support/dtls-bytes.ts';
import * as tls from '../support/tls-bytes.ts';

const { dtlsRecord } = dtls;
const random = Buffer.alloc(32, 0x77);
const helloMessage = dtls.withCookie(tls.clientHelloMessage({ name: 'www.bank.example', random }));
const hello = dtlsRecord(22, dtls.fragments(helloMessage, 0)[0]!);
const keyExchange = dtlsRecord(22, dtls.fragments(tls.handshake(16, Buffer.alloc(8)), 1)[0]!);
const serverHello = dtlsRecord(22, dtls.fragments(dtls.overDatagrams(tls.serverHello(0xc02f)), 0)[0]!);
const certificate = dtlsRecord(22, dtls.fragments(tls.handshake(11, Buffer.alloc(8)), 1)[0]!);
const alert = dtlsRecord(21, Buffer.of(1, 0));
const changeCipherSpec = dtlsRecord(20, Buffer.of(1));
const encrypted = dtlsRecord(22, Buffer.alloc(40), { epoch: 1 });
/** RFC 9147 §4. */
const sealed = Buffer.of(0x2c, 0, 1, 0, 1, 0);
const nothing = Buffer.alloc(0);

const recordsOf = (datagram: Buffer) => readDtlsRecords(datagram, 0, datagram.length);

describe('the content of a datagram', () => {
  it.each([
    ['flight', 'a message in clear', hello],
    ['flight', 'a message in clear, beside an alert', Buffer.concat([alert, hello])],
    ['alerts', 'an alert', alert],
    ['alerts', 'no octet', nothing],
    ['protected', 'a ChangeCipherSpec', changeCipherSpec],
    ['protected', 'a ChangeCipherSpec behind messages', Buffer.concat([hello, changeCipherSpec])],
    ['protected', 'what is encrypted', encrypted],
    ['protected', 'what is encrypted, behind messages', Buffer.concat([hello, encrypted])],
    ['protected', 'nothing, encrypted', dtlsRecord(22, nothing, { epoch: 1 })],
    ['protected', 'data, encrypted', dtlsRecord(23, Buffer.of(1), { epoch: 1 })],
    [
      'protected',
      'OpenSSL’s ChangeCipherSpec from before there was a standard',
      dtlsRecord(20, Buffer.of(1, 0, 1), { version: 0x0100 }),
    ],
    ['sealed', 'a record of DTLS 1.3', sealed],
    ['sealed', 'a record of DTLS 1.3 behind an older one', Buffer.concat([encrypted, sealed])],
    ['unread', 'a ChangeCipherSpec of three octets in a version that has none', dtlsRecord(20, Buffer.of(1, 0, 1))],
    ['unread', 'a ChangeCipherSpec of two octets', dtlsRecord(20, Buffer.of(1, 1), { version: 0x0100 })],
    ['unread', 'a ChangeCipherSpec without octets', dtlsRecord(20, nothing)],
    ['unread', 'a handshake record without octets', dtlsRecord(22, nothing)],
    ['unread', 'an alert that is cut', dtlsRecord(21, Buffer.of(1))],
    ['unread', 'an alert that is too long', dtlsRecord(21, Buffer.of(1, 0, 0))],
    ['unread', 'data in clear', dtlsRecord(23, Buffer.of(1))],
    ['unread', 'what is no record', Buffer.from('no record')],
    ['unread', 'what is no record, behind one', Buffer.concat([encrypted, Buffer.of(0)])],
  ])('is %s: %s', (content, _, datagram) => {
    expect(contentOf(recordsOf(datagram))).toBe(content);
  });
});

describe('a client’s datagram', () => {
  it.each([
    [true, 'a ClientHello', hello],
    [true, 'an alert', alert],
    [true, 'both', Buffer.concat([hello, alert])],
    [false, 'its key exchange', keyExchange],
    [false, 'a ClientHello, and its key exchange', Buffer.concat([hello, keyExchange])],
    [false, 'what is encrypted', encrypted],
    [false, 'a ClientHello, and what is encrypted', Buffer.concat([hello, encrypted])],
    [false, 'what is no record', Buffer.from('no record')],
  ])('only asks (%s): %s', (asks, _, datagram) => {
    expect(onlyAsks(datagram, recordsOf(datagram))).toBe(asks);
  });

  it.each([
    [false, 'a ClientHello', hello],
    [false, 'an alert', alert],
    [false, 'a ChangeCipherSpec', changeCipherSpec],
    [false, 'a ClientHello, behind a handshake record without octets', Buffer.concat([dtlsRecord(22, nothing), hello])],
    [true, 'its key exchange', keyExchange],
    [true, 'its key exchange, behind a hello', Buffer.concat([hello, keyExchange])],
    [true, 'what is encrypted', encrypted],
    [true, 'what is encrypted, behind an alert', Buffer.concat([alert, encrypted])],
  ])('goes on (%s): %s', (on, _, datagram) => {
    expect(goesOn(datagram, recordsOf(datagram).records)).toBe(on);
  });
});

it.each([
  ['client', 'a ClientHello', hello],
  ['client', 'a ClientKeyExchange behind a Certificate', Buffer.concat([certificate, keyExchange])],
  ['server', 'a ServerHello', serverHello],
  ['server', 'a ServerHello and a Certificate', Buffer.concat([serverHello, certificate])],
  [undefined, 'a Certificate, which may be either’s', certificate],
  [undefined, 'an alert', alert],
  [undefined, 'what is encrypted', encrypted],
])('says that its sender is the %s: %s', (role, _, datagram) => {
  expect(dtlsRole(datagram, 0, datagram.length)).toBe(role);
});

describe('the random of the ClientHello that begins a handshake', () => {
  const read = (datagram: Buffer) => firstHelloRandom(datagram, recordsOf(datagram).records[0]!);
  const inRecord = (fragment: Buffer, fields = {}) => dtlsRecord(22, fragment, fields);

  it('is read from its first fragment', () => {
    expect(read(hello)).toEqual(random);
    expect(read(inRecord(dtls.fragments(helloMessage, 0, 34)[0]!))).toEqual(random);
  });

  it.each([
    ['a fragment that ends within it', inRecord(dtls.fragments(helloMessage, 0, 33)[0]!)],
    ['a later fragment', inRecord(dtls.fragments(helloMessage, 0, 40)[1]!)],
    ['a later hello, which answers a cookie', inRecord(dtls.fragments(helloMessage, 1)[0]!)],
    ['another message', inRecord(dtls.fragments(tls.handshake(2, helloMessage.subarray(4)), 0)[0]!)],
    ['an encrypted record', inRecord(dtls.fragments(helloMessage, 0)[0]!, { epoch: 1 })],
    ['another kind of record', dtlsRecord(21, dtls.fragments(helloMessage, 0)[0]!)],
  ])('is not to be had from %s', (_, datagram) => {
    expect(read(datagram)).toBeUndefined();
  });
});
