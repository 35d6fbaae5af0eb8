import { describe, expect, it } from 'vitest';

import {
  clientTrafficSecret,
  HandshakeTrafficSecrets,
  tls13SuiteOf,
  trafficKeys,
  verifyData,
} from '../../src/tls/key-schedule.ts';
import { RecordProtection } from '../../src/tls/record-protection.ts';
import { type Hellos, Transcript } from '../../src/tls/transcript.ts';
import { RETRY, SIMPLE } from '../support/rfc8448.ts';

const suite = tls13SuiteOf(0x1301)!;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const secretsOf = (hellos: Hellos, sharedSecret: Uint8Array) =>
  new HandshakeTrafficSecrets(suite, sharedSecret, Transcript.ofHellos('sha256', hellos).digest());

describe('the traces of RFC 8448', () => {
  it('§3: the handshake traffic secrets of both sides', () => {
    const secrets = secretsOf(SIMPLE, SIMPLE.sharedSecret);
    expect(hex(secrets.client)).toBe(hex(SIMPLE.clientSecret));
    expect(hex(secrets.server)).toBe(hex(SIMPLE.serverSecret));
  });

  it('§5: after a HelloRetryRequest a digest stands for the first ClientHello', () => {
    const { clientHello, serverHello, helloRetryRequest, secondClientHello } = RETRY;
    const hellos = { clientHello, serverHello, retry: { helloRetryRequest, clientHello: secondClientHello } };
    expect(hex(Transcript.ofHellos('sha256', hellos).digest())).toBe(hex(RETRY.helloHash));
    const secrets = secretsOf(hellos, RETRY.sharedSecret);
    expect(hex(secrets.client)).toBe(hex(RETRY.clientSecret));
    expect(hex(secrets.server)).toBe(hex(RETRY.serverSecret));
  });

  it.each([
    ['§3, server', SIMPLE.serverSecret, SIMPLE.serverKey, SIMPLE.serverIv],
    ['§3, client', SIMPLE.clientSecret, SIMPLE.clientKey, SIMPLE.clientIv],
    ['§5, server', RETRY.serverSecret, RETRY.serverKey, RETRY.serverIv],
  ])('key and IV of a secret: %s', (_, secret, key, iv) => {
    const keys = trafficKeys(suite, secret);
    expect(hex(keys.key)).toBe(hex(key));
    expect(hex(keys.iv)).toBe(hex(iv));
  });

  it('§3: the server’s flight is four messages', () => {
    const { serverFlight, serverSecret } = SIMPLE;
    const opened = new RecordProtection(suite, serverSecret).open(
      serverFlight.subarray(0, 5),
      serverFlight.subarray(5),
    );
    expect(opened?.contentType).toBe(22);
    expect(opened?.content.length).toBe(0x28 + 0x1bd + 0x88 + 0x24);
    expect(hex(opened!.content.subarray(0, 4))).toBe('08000024');
  });
});

describe('a client’s end of RFC 8448 §3', () => {
  const { serverSecret, serverFlight } = SIMPLE;
  const flight = new RecordProtection(suite, serverSecret).open(serverFlight.subarray(0, 5), serverFlight.subarray(5));
  const transcript = Transcript.ofHellos('sha256', SIMPLE);
  const messages: { type: number; body: Uint8Array }[] = [];
  for (let rest = Buffer.from(flight!.content); rest.length > 0; rest = rest.subarray(4 + rest.readUIntBE(1, 3))) {
    messages.push({ type: rest[0]!, body: rest.subarray(4, 4 + rest.readUIntBE(1, 3)) });
  }
  const finished = messages.pop()!;
  for (const { type, body } of messages) transcript.add(type, body);

  it('the server’s Finished is of its secret and of what came before', () => {
    expect(hex(verifyData(suite, serverSecret, transcript.digest()))).toBe(hex(finished.body));
  });

  it('the client’s Finished, and the secret of what follows', () => {
    const { master } = secretsOf(SIMPLE, SIMPLE.sharedSecret);
    const whole = Transcript.ofHellos('sha256', SIMPLE);
    for (const { type, body } of [...messages, finished]) whole.add(type, body);
    const own = verifyData(suite, SIMPLE.clientSecret, whole.digest());
    expect(hex(own)).toBe('a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61');
    expect(hex(clientTrafficSecret(suite, master, whole.digest()))).toBe(
      '9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5',
    );
  });
});

describe('record protection', () => {
  const content = Buffer.from('a message');

  describe.each([0x1301, 0x1302, 0x1303, 0x1304, 0x1305])('of suite 0x%s', (number) => {
    const some = tls13SuiteOf(number)!;
    const secret = Buffer.alloc(some.hashLength, 0x5e);
    const open = (protection: RecordProtection, record: Uint8Array) =>
      protection.open(record.subarray(0, 5), record.subarray(5));

    it('opens records in their order, and no other', () => {
      const [sealer, opener, late] = [0, 1, 2].map(() => new RecordProtection(some, secret)) as [
        RecordProtection,
        RecordProtection,
        RecordProtection,
      ];
      const records = [sealer.seal(22, content), sealer.seal(21, content), sealer.seal(22, content, 100)];
      expect(records.map((each) => open(opener, each))).toEqual(
        [22, 21, 22].map((contentType) => ({ contentType, content })),
      );
      expect(open(late, records[1]!)).toBeUndefined();
    });

    it('opens no record with any bit changed, its header included', () => {
      const record = new RecordProtection(some, secret).seal(22, content);
      for (let bit = 0; bit < record.length * 8; bit++) {
        const changed = Uint8Array.from(record);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(open(new RecordProtection(some, secret), changed)).toBeUndefined();
      }
    });

    it.each([
      ['is authenticated from draft 25 on', 0x7f19, false],
      ['is not in the drafts before', 0x7f18, true],
      ['nor in those that Facebook had', 0xfb17, true],
    ])('a record’s header %s', (_, version, opens) => {
      const record = new RecordProtection(some, secret, version).seal(22, content);
      expect(open(new RecordProtection(some, secret, version), record)).toEqual({ contentType: 22, content });
      record[1] = 1;
      expect(open(new RecordProtection(some, secret, version), record) !== undefined).toBe(opens);
    });

    it('opens nothing that is shorter than its tag and a content type', () => {
      for (let length = 0; length <= some.tagLength; length++) {
        expect(new RecordProtection(some, secret).open(Buffer.alloc(5), Buffer.alloc(length))).toBeUndefined();
      }
    });
  });

  it('a record of padding only has no content type', () => {
    const secret = Buffer.alloc(32, 1);
    const record = new RecordProtection(suite, secret).seal(0, Buffer.alloc(0), 20);
    const opened = new RecordProtection(suite, secret).open(record.subarray(0, 5), record.subarray(5));
    expect(opened).toMatchObject({ contentType: 0, content: { length: 0 } });
  });

  it('suites that are not of TLS 1.3 have no keys here', () => {
    expect([0xc02f, 0x1300, 0x1306, 0x1a1a].map(tls13SuiteOf)).toEqual([undefined, undefined, undefined, undefined]);
  });
});
