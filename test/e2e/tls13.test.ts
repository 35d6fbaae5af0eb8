/** TLS 1.3, where nobody on the wire sees the certificate: a probe or a key log shows it, or nothing passes. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { makeBank, NAME } from '../support/lab/bank.ts';
import type { Bank } from '../support/lab/bank.ts';
import { connmarks, Engine } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { requestWithCurl, requestWithNode, requestWithOpenssl, startTlsServer } from '../support/lab/peers.ts';
import type { Outcome, Request, TlsServerOptions } from '../support/lab/peers.ts';

const ACCEPTED = 0x20000000;

let bank: Bank;
let lab: Lab;
beforeAll(() => {
  bank = makeBank();
});
afterAll(() => bank.remove());
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.close());

const CLIENTS: Readonly<Record<string, (request: Request) => Promise<Outcome>>> = {
  curl: (request) => requestWithCurl(lab, 'client', request),
  openssl: (request) => requestWithOpenssl(lab, 'client', request),
  node: async (request) => (await requestWithNode(lab, 'client', request))[0]!,
};

const requestTo = (version: 4 | 6 = 4): Request => ({
  host: lab.address('server', version),
  servername: NAME,
  ca: bank.ca,
});
const serve = (options: Partial<TlsServerOptions> = {}): Promise<unknown> =>
  startTlsServer(lab, 'server', { identity: bank.genuineChain, maxVersion: 'TLSv1.3', body: 50_000, ...options });

describe.each(Object.keys(CLIENTS))('%s', (client) => {
  it.each([4, 6] as const)('reaches the genuine server over IPv%d at first contact', async (version) => {
    const engine = await Engine.start(lab, { config: bank.config });
    await serve();
    const outcome = await CLIENTS[client]!(requestTo(version));
    expect(outcome).toMatchObject({ error: null });
    expect(outcome.bytes).toBeGreaterThanOrEqual(50_000);
    const [record] = await engine.logged(1);
    expect(record).toMatchObject({
      verdict: { action: 'accept', reason: 'probe-match', pinset: 'bank', evidence: 'probed' },
      tls: { sni: NAME, version: 'TLS 1.3' },
    });
    expect(connmarks(lab, 'gateway', { clientPort: record!.src_port })).toEqual([ACCEPTED]);
  });

  it('hears an alert from the forged one, and not one octet of it', async () => {
    const engine = await Engine.start(lab, { config: bank.config });
    await serve({ identity: bank.forgedChain });
    const outcome = await CLIENTS[client]!(requestTo());
    expect(outcome.bytes).toBe(0);
    expect(outcome.error).toMatch(/alert|ALERT/);
    expect(outcome.millis).toBeLessThan(1_500);
    expect(await engine.logged(1)).toMatchObject([
      { verdict: { action: 'tls-alert', reason: 'probe-mismatch', evidence: 'probed', matched: null } },
    ]);
  });
});
