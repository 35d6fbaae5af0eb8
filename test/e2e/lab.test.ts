/** The laboratory itself: what later tests take for granted. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { Lab } from '../support/lab/lab.ts';
import {
  requestWithCurl,
  requestWithNode,
  requestWithOpenssl,
  startTlsServer,
  TcpClient,
} from '../support/lab/peers.ts';
import { RawServer } from '../support/lab/raw-server.ts';

let lab: Lab;
beforeEach(() => {
  lab = new Lab({ hosts: ['client', 'router', 'gateway', 'server'] });
});
afterEach(async () => {
  await lab.close();
});

describe('the laboratory', () => {
  it('ends every process and leaves no namespace', async () => {
    const name = lab.network.namespace('gateway');
    const sleeper = lab.start('gateway', ['sleep', '1000']);
    expect(sleeper.pid).toBeTypeOf('number');
    await lab.close();
    expect(sleeper.end?.signal).toBe('SIGKILL');
    expect(() => process.kill(sleeper.pid!, 0)).toThrow('ESRCH');
    const other = new Lab();
    expect(other.run('client', 'ip', 'netns', 'list')).not.toContain(name);
    await other.close();
  });

  it('makes chains that openssl accepts', () => {
    const root = lab.certificates.authority('root', { key: 'rsa' });
    const ca = lab.certificates.authority('ca', { issuer: root });
    const leaf = lab.certificates.leaf('leaf', { issuer: ca, names: ['www.bank.example', '*.bank.example'] });
    const verified = lab.run('client', 'openssl', 'verify', '-CAfile', root.cert, '-untrusted', ca.cert, leaf.cert);
    expect(verified).toContain('leaf.pem: OK');
    expect(spkiPin(leaf.cert)).toMatch(/^sha256\/\/.{43}=$/);
  });

  it.each([4, 6] as const)('has clients and servers that agree, over a line of four and IPv%d', async (version) => {
    const ca = lab.certificates.authority('ca');
    const identity = lab.certificates.leaf('leaf', { issuer: ca, names: ['www.bank.example'], key: 'rsa' });
    await startTlsServer(lab, 'server', { identity, body: 100_000 });
    const request = { host: lab.address('server', version), servername: 'www.bank.example', ca: ca.cert };
    const [byNode] = await requestWithNode(lab, 'client', request);
    expect(byNode).toMatchObject({ error: null, protocol: 'TLSv1.2' });
    const byCurl = await requestWithCurl(lab, 'client', request);
    expect(byCurl).toMatchObject({ error: null, bytes: 100_000 });
    const byOpenssl = await requestWithOpenssl(lab, 'client', request);
    expect(byOpenssl.error).toBeNull();
    expect(byOpenssl.bytes).toBeGreaterThan(100_000);
  });

  it('says what went wrong in each client’s own words', async () => {
    const [ca, other] = [lab.certificates.authority('ca'), lab.certificates.authority('other')];
    const identity = lab.certificates.leaf('leaf', { issuer: other, names: ['www.bank.example'] });
    await startTlsServer(lab, 'server', { identity });
    const request = { host: lab.address('server'), servername: 'www.bank.example', ca: ca.cert };
    expect((await requestWithNode(lab, 'client', request))[0]).toMatchObject({
      bytes: 0,
      error: expect.stringMatching(/UNABLE/) as string,
    });
    expect((await requestWithCurl(lab, 'client', request)).error).toMatch(/unable to get local issuer/);
    expect((await requestWithOpenssl(lab, 'client', request)).error).toMatch(/verify error|certificate verify failed/);
  });

  it.each([4, 6] as const)('has a server that sends single segments as it is told, over IPv%d', async (version) => {
    const server = await RawServer.start(lab, 'server', { iss: 0xfffffff0 });
    const client = new TcpClient(lab, 'client', {
      host: lab.address('server', version),
      send: Buffer.from('hello'),
      wait: 700,
    });
    await server.received(5);
    expect(server.stream.toString()).toBe('hello');
    const bytes = Buffer.from('0123456789abcdefghijklmnopqrstuv');
    server.send({ at: 16, data: bytes.subarray(16), flags: 'PA' });
    server.send({ at: 0, data: Buffer.from('XXXXXXXX'), corrupt: true });
    server.send({ at: 0, data: Buffer.from('YYYYYYYY'), ttl: 2 });
    server.send({ at: 0, data: bytes.subarray(0, 16), delay: 20 });
    const { end, received } = await client.outcome();
    expect(received.toString()).toBe(bytes.toString());
    expect(end).toBe('silence');
    expect(server.heard.some(({ ack }) => ack === 32)).toBe(true);
    expect(server.heard.map(({ flags }) => flags)).not.toContain('R');
  });
});
