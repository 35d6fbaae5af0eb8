/** QUIC through the rules, with real clients: refused at once where a pinset could concern it, or decided by its name. */
import { describe, expect, it } from 'vitest';

import { NAME, pinset } from '../support/lab/bank.ts';
import { bank, lab } from '../support/lab/bank-of-each.ts';
import { Engine } from '../support/lab/engine.ts';
import {
  browseWithChromium,
  refusals,
  requestWithQuic,
  startBrowsedServer,
  startQuicServer,
} from '../support/lab/quic.ts';
import { lacks } from '../support/programs.ts';

const withoutPeers = lacks('gtlsserver', 'gtlsclient');

describe.skipIf(withoutPeers).each([4, 6] as const)('QUIC over IPv%d', (version) => {
  const request = (servername: string) => ({ address: lab.address('server', version), servername });

  it('works where nothing is pinned', async () => {
    await Engine.start(lab, { config: { pinsets: [] } });
    await startQuicServer(lab, 'server', bank.genuineChain);
    expect(await requestWithQuic(lab, 'client', request(NAME))).toMatchObject({ answered: true, refusedAfter: null });
  });

  it('is refused to the clients of host pinsets, at once', async () => {
    await Engine.start(lab, { config: bank.config });
    await startQuicServer(lab, 'server', bank.genuineChain);
    const outcome = await requestWithQuic(lab, 'client', request('www.other.example'));
    expect(outcome.answered).toBe(false);
    expect(outcome.refusedAfter).toBeLessThan(500);
  });

  it.each([['the usual rules', []] as const, ['--queue-udp', ['--queue-udp']] as const])(
    'is refused on every pinned port, which may be another than 443 (%s)',
    async (_, rules) => {
      const config = { pinsets: [pinset({ pins: [bank.pin], match: { hosts: [NAME], ports: [8443] } })] };
      await Engine.start(lab, { config, rules });
      await startQuicServer(lab, 'server', bank.forgedChain, 8443);
      const outcome = await requestWithQuic(lab, 'client', { ...request(NAME), port: 8443 });
      expect(outcome.answered).toBe(false);
      expect(outcome.refusedAfter).toBeLessThan(500);
    },
  );

  it('with --queue-udp: the pinned name is refused at once, and others work', async () => {
    const engine = await Engine.start(lab, {
      config: { ...bank.config, log: { unpinned: true } },
      rules: ['--queue-udp'],
    });
    await startQuicServer(lab, 'server', bank.genuineChain);
    const refused = await requestWithQuic(lab, 'client', request(NAME));
    expect(refused.answered).toBe(false);
    expect(refused.refusedAfter).toBeLessThan(500);
    const [record] = await engine.logged(1);
    expect(record).toMatchObject({
      proto: 'UDP',
      app_proto: 'quic',
      verdict: { action: 'reject', reason: 'quic', pinset: 'bank' },
      tls: { sni: NAME },
    });
    expect(await requestWithQuic(lab, 'client', request('www.other.example'))).toMatchObject({ answered: true });
    expect(await engine.next(1)).toMatchObject({ verdict: { action: 'accept', reason: 'unpinned' } });
  });
});

it.skipIf(withoutPeers)('QUIC of the host itself: the pinned name is refused at once, and others work', async () => {
  await Engine.start(lab, { host: 'client', config: bank.config, rules: ['--queue-udp', '--hook', 'local'] });
  await startQuicServer(lab, 'server', bank.genuineChain);
  const address = lab.address('server');
  const refused = await requestWithQuic(lab, 'client', { address, servername: NAME });
  expect(refused.answered).toBe(false);
  expect(refused.refusedAfter).toBeLessThan(500);
  expect(await requestWithQuic(lab, 'client', { address, servername: 'www.other.example' })).toMatchObject({
    answered: true,
  });
});

describe.skipIf(withoutPeers || lacks('chromium', 'nginx'))('Chromium', () => {
  const browse = async () => {
    await startBrowsedServer(lab, 'server', bank.genuineChain);
    await startQuicServer(lab, 'server', bank.genuineChain);
    const spkiSha256 = bank.pin.replace('sha256//', '');
    return browseWithChromium(lab, 'client', { address: lab.address('server'), servername: NAME, spkiSha256 });
  };

  it('takes QUIC once a server offers it', async () => {
    await Engine.start(lab, { config: { pinsets: [] } });
    expect((await browse()).slice(-3).map(({ protocol }) => protocol)).toEqual(['h3', 'h3', 'h3']);
  });

  it.each([['the usual rules', []] as const, ['--queue-udp', ['--queue-udp']] as const])(
    'with %s falls back to TCP, and no request takes longer for it',
    async (_, rules) => {
      const engine = await Engine.start(lab, { config: bank.config, rules });
      const fetched = await browse();
      expect(new Set(fetched.map(({ protocol }) => protocol))).toEqual(new Set(['http/1.1']));
      expect(Math.max(...fetched.slice(1).map(({ millis }) => millis))).toBeLessThan(250);
      expect(refusals(lab, 'client')).toBeGreaterThan(0);
      expect(await engine.next(0)).toMatchObject({ verdict: { action: 'accept', reason: 'pin-match' } });
    },
  );
});
