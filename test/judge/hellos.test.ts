/** What both sides say in their hellos, in each order that they may come in. */
import { describe, expect, it } from 'vitest';

import { Hellos } from '../../src/judge/hellos.ts';
import type { ClientHello } from '../../src/tls/client-hello.ts';
import type { ServerHello } from '../../src/tls/server-hello.ts';
import { parsedClientHello, parsedServerHello } from '../support/hellos.ts';

const client = parsedClientHello({ name: 'A.Example', supportedVersions: [0x0304, 0x0303] });
const second = parsedClientHello({ name: 'other.example', supportedVersions: [0x0304] });
const answer = parsedServerHello({ suite: 0x1301, selectedVersion: 0x0304 });
const retry: ServerHello = { ...answer, isHelloRetryRequest: true };

const said = (...hellos: readonly (ClientHello | ServerHello)[]) => {
  const made = new Hellos();
  const told = hellos.map((hello) => ('cipherSuites' in hello ? made.onClient(hello) : made.onServer(hello)));
  return { hellos: made, told };
};

describe('hellos', () => {
  it.each<[string, (ClientHello | ServerHello)[], boolean[], boolean]>([
    ['nobody’s', [], [], false],
    ['the client’s', [client], [true], false],
    ['a request for another', [client, retry], [true, false], true],
    ['the other one', [client, retry, second], [true, false, false], false],
    ['the answer to that', [client, retry, second, answer], [true, false, false, true], false],
    ['an answer', [client, answer], [true, true], false],
  ])('%s', (_, all, told, isAskedAgain) => {
    const made = said(...all);
    expect([made.told, made.hellos.isAskedAgain]).toEqual([told, isAskedAgain]);
    expect(made.hellos.server).toBe(all.includes(answer) ? answer : undefined);
    if (all.length > 0) expect([made.hellos.client, made.hellos.name]).toEqual([client, 'A.Example']);
  });

  it('lead to keys once the server has answered a client that was seen', () => {
    expect(said(client).hellos.messages).toBeUndefined();
    expect(said(answer).hellos.messages).toBeUndefined();
    expect(said(client, answer).hellos.messages).toEqual({
      clientHello: client,
      retry: undefined,
      serverHello: answer,
    });
    expect(said(client, second, answer).hellos.messages!.retry).toBeUndefined();
    expect(said(client, retry, answer).hellos.messages!.retry).toBeUndefined();
    expect(said(client, retry, second, answer).hellos.messages!.retry).toEqual({ request: retry, clientHello: second });
  });

  it('offer TLS 1.3 where the client does', () => {
    expect(said(client).hellos.offersTls13).toBe(true);
    expect(said(parsedClientHello()).hellos.offersTls13).toBe(false);
    expect(said(answer).hellos.offersTls13).toBe(false);
  });
});

describe('a name that a proxy was asked for', () => {
  it.each<[string, ClientHello | undefined, string | undefined, string | null]>([
    ['none', client, undefined, null],
    ['the same', client, 'a.example', null],
    ['another', client, 'proxied.example', 'proxied.example'],
    ['one, and none in TLS', parsedClientHello(), 'proxied.example', 'proxied.example'],
    ['one, ahead of TLS', undefined, 'proxied.example', 'proxied.example'],
  ])('%s', (_, hello, host, expected) => {
    const { hellos } = said(...(hello === undefined ? [] : [hello]));
    hellos.onTunnel(host);
    expect(hellos.fronted).toBe(expected);
  });
});

describe('a client', () => {
  const id = Buffer.alloc(32, 7);
  const ticket = Buffer.alloc(50, 9);
  const echoing = parsedServerHello({ sessionId: id });

  it.each<[string, Parameters<typeof parsedClientHello>[0], Uint8Array, boolean]>([
    ['that offers nothing', {}, Buffer.alloc(0), false],
    ['that offers an id', { sessionId: id }, id, true],
    ['that offers another id', { sessionId: Buffer.alloc(32, 8) }, Buffer.alloc(32, 8), false],
    ['that offers a ticket', { ticket }, ticket, true],
    ['that offers a ticket, and an id of its own making', { ticket, sessionId: Buffer.alloc(32, 8) }, ticket, true],
    ['that has no ticket, and takes one', { ticket: Buffer.alloc(0), sessionId: id }, id, true],
  ])('%s', (_, fields, credential, resumes) => {
    const { hellos } = said(parsedClientHello(fields), echoing);
    expect([Buffer.from(hellos.credential), hellos.resumes]).toEqual([Buffer.from(credential), resumes]);
  });

  it('that nobody saw offers nothing', () => {
    const { hellos } = said(echoing);
    expect([hellos.credential.length, hellos.resumes, hellos.fronted]).toEqual([0, false, null]);
  });
});
