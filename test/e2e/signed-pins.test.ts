/** A gateway whose pins come, signed, from a web server: new ones take effect, forged ones never do, old ones stay. */
import { expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { NAME } from '../support/lab/bank.ts';
import { Engine, TLSPIN } from '../support/lab/engine.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, forged, genuine, lab } from '../support/lab/twins-of-each.ts';

const PORT = 8443;
const PATIENCE = { timeout: 30_000, interval: 500 };

it('new ones take effect, forged ones never do, and old ones stay where the server is gone', async () => {
  const tlspin = (...args: string[]) => lab.run('gateway', ...TLSPIN, ...args);
  for (const name of ['office.key', 'stranger.key']) tlspin('fleet', 'key', lab.path(name));
  const [, line] = lab.shell('gateway', `cat ${lab.path('office.key.pub')}`).split('\n');
  const publish = (pin: string, key = 'office.key') => {
    const pinsets = [{ name: 'bank', match: { hosts: [NAME] }, pins: [pin] }];
    lab.write('office.json', JSON.stringify({ version: 1, pinsets }));
    tlspin('fleet', 'sign', lab.path('office.json'), '--key', lab.path(key));
  };
  const passes = async () => {
    const [outcome] = await requestWithNode(lab, 'client', {
      host: lab.address('server'),
      servername: NAME,
      ca: ca.cert,
    });
    return outcome!.error === null;
  };
  const codes = () => {
    const health = lab.shell(
      'gateway',
      `${[...TLSPIN, 'health', '--json'].join(' ')} --control ${lab.path('sock')} || :`,
    );
    const answer = JSON.parse(health) as { health: { conditions: { code: string }[] } };
    return answer.health.conditions.map(({ code }) => code).filter((code) => code.startsWith('pins.'));
  };

  const of = `-subj /CN=pins -addext subjectAltName=IP:${lab.address('server')} -nodes -days 9`;
  const files = `-keyout ${lab.path('web.key')} -out ${lab.path('web.pem')}`;
  lab.shell('gateway', `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 ${of} ${files} 2>&1`);
  await startTlsServer(lab, 'server', { identity: forged });
  const engine = await Engine.start(lab, {
    config: {
      control: { socket: 'sock' },
      pins: {
        url: `https://${lab.address('server')}:${PORT}/office.json`,
        trustedKeys: [line],
        ...{ file: 'office.kept', ca: 'web.pem', every: '1s' },
      },
    },
  });
  await expect.poll(codes, PATIENCE).toEqual(['pins.missing', 'pins.unreachable']);
  expect(await passes()).toBe(true);

  publish(spkiPin(genuine.cert));
  const web = await startWebServer();
  await engine.child.says(/reloaded/);
  // What was missing is over at the next look, within a second.
  await expect.poll(codes, PATIENCE).toEqual([]);
  expect(await passes()).toBe(false);

  publish(spkiPin(forged.cert), 'stranger.key');
  await expect.poll(codes, PATIENCE).toEqual(['pins.refused']);
  expect(await passes()).toBe(false);

  await web.stop('SIGKILL');
  await engine.kill();
  await engine.run();
  await expect.poll(codes, PATIENCE).toEqual(['pins.unreachable']);
  expect(await passes()).toBe(false);

  publish(spkiPin(forged.cert));
  await startWebServer();
  await expect.poll(passes, PATIENCE).toBe(true);
  await expect.poll(codes, PATIENCE).toEqual([]);
}, 180_000);

/** It has what is in the lab's folder. */
async function startWebServer() {
  const [key, cert] = [lab.path('web.key'), lab.path('web.pem')];
  const server = lab.start('server', [
    ...['sh', '-c', `cd ${lab.directory} && exec openssl s_server -WWW -accept ${PORT} -key ${key} -cert ${cert}`],
  ]);
  await server.says(/ACCEPT/);
  return server;
}
