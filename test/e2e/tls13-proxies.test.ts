/** TLS 1.3 through a proxy: the probe goes the same way, and the name that the proxy is asked for counts. */
import { spawnSync } from 'node:child_process';

import { beforeAll, describe, expect, it } from 'vitest';

import { NAME } from '../support/lab/bank.ts';
import { bank, lab, openFaces, openScene, scene } from '../support/lab/bank-scene.ts';
import { peer } from '../support/lab/peers.ts';

const [OPEN, CLOSED] = [3128, 3129];
const [GENUINE, FORGED] = [443, 8443];
const WORD = Buffer.from('user:word').toString('base64');

beforeAll(async () => {
  await openScene(() => ({ ...bank.config, ports: [OPEN, CLOSED], probe: { recheck: 0, ttl: 0 } }));
  await openFaces({ [GENUINE]: [{ ...bank.genuineChain, body: 5_000 }], [FORGED]: [{ ...bank.forgedChain }] });
  const open = lab.start('server', ['python3', peer('proxy.py'), `${OPEN}`]);
  const closed = lab.start('server', ['python3', peer('proxy.py'), `${CLOSED}`, WORD]);
  await Promise.all([open.says(/listening/), closed.says(/listening/)]);
});

function curl(port: number, ...options: string[]) {
  const request = ['-sS', '--max-time', '15', '--tlsv1.3', '--cacert', bank.ca, `https://${NAME}:${port}/`];
  const [program, words] = lab.network.inside('client', ['curl', ...options, ...request]);
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  return { status, octets: stdout.length, error: stderr };
}

describe.each([
  ['CONNECT', '-x', 'http://'],
  ['SOCKS 5', '-x', 'socks5h://'],
])('%s', (_, option, scheme) => {
  const through = () => [option, `${scheme}${lab.address('server')}:${OPEN}`];

  it('leads the probe to the genuine server', async () => {
    expect(curl(GENUINE, ...through())).toMatchObject({ status: 0, error: '' });
    expect(await scene.verdict()).toMatchObject({ verdict: { action: 'accept', reason: 'probe-match' } });
  });

  it('and to the forged one, of which the client gets nothing', async () => {
    expect(curl(FORGED, ...through())).toMatchObject({ octets: 0, error: expect.stringContaining('alert') as string });
    expect(await scene.verdict()).toMatchObject({ verdict: { action: 'tls-alert', reason: 'probe-mismatch' } });
  });

  it('is fronted where it is asked for another name', async () => {
    expect(curl(FORGED, ...through(), '--connect-to', `${NAME}::front.example:`)).toMatchObject({ octets: 0 });
    expect(await scene.verdict()).toMatchObject({ verdict: { action: 'tls-alert', fronted: 'front.example' } });
  });
});

it('behind a proxy that wants to know who asks there is no probe', async () => {
  const proxy = ['-x', `http://${lab.address('server')}:${CLOSED}`, '--proxy-user', 'user:word'];
  expect(curl(GENUINE, ...proxy)).toMatchObject({ octets: 0 });
  expect(await scene.verdict()).toMatchObject({
    verdict: { action: 'tls-alert', reason: 'probe-failed', fault: 'probe.unsupported.http-connect' },
  });
});
