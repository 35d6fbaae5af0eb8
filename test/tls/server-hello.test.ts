import { describe, expect, it } from 'vitest';

import { isFault } from '../../src/bytes/fault.ts';
import { parseServerHello, type ServerHello } from '../../src/tls/server-hello.ts';
import {
  extension,
  helloRetryRequest,
  serverHello,
  serverHello13,
  type ServerHelloFields,
} from '../support/tls-bytes.ts';

const bodyOf = (fields: ServerHelloFields) => serverHello(fields).subarray(4);
const hello = (fields: ServerHelloFields) => parseServerHello(bodyOf(fields)) as ServerHello;
const codeOf = (body: Uint8Array) => {
  const parsed = parseServerHello(body);
  return isFault(parsed) ? parsed.code : undefined;
};

describe('a ServerHello', () => {
  it('of literal octets, without extensions', () => {
    const body = Buffer.from('0301' + '5e'.repeat(32) + '02aabb' + 'c02f' + '00', 'hex');
    expect(parseServerHello(body)).toMatchObject({
      version: 0x0301,
      isTls13: false,
      isHelloRetryRequest: false,
      cipherSuite: 0xc02f,
      sessionId: Uint8Array.of(0xaa, 0xbb),
      answersSessionTicket: false,
      selectsPsk: false,
      selectsRawPublicKey: false,
    });
  });

  it('of TLS 1.3 says so in supported_versions', () => {
    expect(parseServerHello(serverHello13.subarray(4))).toMatchObject({
      version: 0x0304,
      isTls13: true,
      isHelloRetryRequest: false,
    });
    expect(hello({ selectedVersion: 0x7f1c })).toMatchObject({ version: 0x7f1c, isTls13: true });
    expect(hello({ selectedVersion: 0x0303 })).toMatchObject({ version: 0x0303, isTls13: false });
  });

  it('of an early draft has no session id and no compression method', () => {
    const body = Buffer.from('7f12' + '5e'.repeat(32) + '1301' + '0004' + '00330000', 'hex');
    expect(parseServerHello(body)).toMatchObject({ version: 0x7f12, isTls13: true, cipherSuite: 0x1301 });
  });

  it('with the random of HelloRetryRequest is one (RFC 8446 §4.1.3)', () => {
    expect(parseServerHello(helloRetryRequest.subarray(4))).toMatchObject({ isHelloRetryRequest: true, isTls13: true });
  });

  it('with the random of HelloRetryRequest is an ordinary one, unless TLS 1.3 is selected', () => {
    const random = helloRetryRequest.subarray(6, 38);
    for (const more of [{}, { selectedVersion: 0x0303 }, { version: 0x0302 }]) {
      expect(hello({ random, ...more })).toMatchObject({ isHelloRetryRequest: false, isTls13: false });
    }
  });

  it('tells what it answers', () => {
    expect(hello({ ticket: true }).answersSessionTicket).toBe(true);
    expect(hello({ rawPublicKey: true }).selectsRawPublicKey).toBe(true);
    expect(hello({ extensions: [extension(41, Buffer.from('0000', 'hex'))] }).selectsPsk).toBe(true);
    expect(hello({ extensions: [extension(20, Buffer.from([0]))] }).selectsRawPublicKey).toBe(false);
  });

  it('is a copy: the bytes may go', () => {
    const body = Uint8Array.from(bodyOf({ sessionId: Buffer.alloc(32, 7) }));
    const parsed = parseServerHello(body) as ServerHello;
    body.fill(0);
    expect([parsed.random[0], parsed.sessionId[0]]).toEqual([0x5e, 7]);
  });
});

describe('a ServerHello that is refused', () => {
  it('is cut at any octet', () => {
    const whole = bodyOf({ sessionId: Buffer.alloc(32), ticket: true, selectedVersion: 0x0303 });
    for (let length = 0; length < whole.length; length++) {
      const isWithoutExtensions = length === 2 + 32 + 33 + 2 + 1;
      expect(codeOf(whole.subarray(0, length)), `${length} octets`).toBe(
        isWithoutExtensions ? undefined : 'tls.server-hello.syntax',
      );
    }
  });

  it('goes on behind its end, has an extension twice, or a session id that is too long', () => {
    expect(codeOf(Buffer.concat([bodyOf({}), Buffer.alloc(1)]))).toBe('tls.server-hello.syntax');
    expect(codeOf(Buffer.concat([bodyOf({ ticket: true }), Buffer.alloc(1)]))).toBe('tls.server-hello.syntax');
    const twice = [extension(35, Buffer.alloc(0)), extension(35, Buffer.alloc(0))];
    expect(codeOf(bodyOf({ extensions: twice }))).toBe('tls.server-hello.syntax');
    expect(codeOf(bodyOf({ sessionId: Buffer.alloc(33) }))).toBe('tls.server-hello.syntax');
  });

  it('selects anything but one version', () => {
    for (const body of ['', '03', '030403']) {
      expect(codeOf(bodyOf({ extensions: [extension(43, Buffer.from(body, 'hex'))] }))).toBe('tls.server-hello.syntax');
    }
  });
});
