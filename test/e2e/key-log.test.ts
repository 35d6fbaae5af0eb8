/** Secrets that clients log: how they reach the engine, and what is decided by them on the kernel's queue. */
import { existsSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { NAME, pinset } from '../support/lab/bank.ts';
import { bank, lab } from '../support/lab/bank-of-each.ts';
import { connmarks, Engine, TLSPIN } from '../support/lab/engine.ts';
import { startTlsServer } from '../support/lab/peers.ts';
import type { Identity } from '../../src/runtime/demo/certificates.ts';

const ACCEPTED = 0x1000000;

const BODY = 50_000;
const configuration = (keylog: object, tls13 = 'keylog') => ({
  keylog,
  pinsets: [pinset({ pins: [bank.pin], tls13 })],
});
const serve = (identity: Identity): Promise<unknown> =>
  startTlsServer(lab, 'server', { identity, maxVersion: 'TLSv1.3', body: BODY });

/** A client as there are many: curl, which writes its secrets where SSLKEYLOGFILE says. */
async function request(environment: NodeJS.ProcessEnv = {}): Promise<{ bytes: number; error: string }> {
  const command = [
    ...['curl', '--silent', '--show-error', '--cacert', bank.ca, '--max-time', '10'],
    ...['--connect-to', `${NAME}:443:${lab.address('server')}:443`, `https://${NAME}/`],
  ];
  const child = lab.start('client', command, { env: { ...process.env, ...environment } });
  await child.ended;
  return { bytes: child.output.length, error: child.errors.trim() };
}

describe('a key log', () => {
  const logging = (): NodeJS.ProcessEnv => ({ SSLKEYLOGFILE: lab.path('keys') });

  it('that is a file shows the genuine server, at first contact', async () => {
    const engine = await Engine.start(lab, { config: configuration({ file: lab.path('keys') }) });
    await serve(bank.genuineChain);
    const { bytes, error } = await request(logging());
    expect([bytes >= BODY, error]).toEqual([true, '']);
    const [record] = await engine.logged(1);
    expect(record).toMatchObject({
      verdict: { action: 'accept', reason: 'pin-match', pinset: 'bank', evidence: 'decrypted' },
      tls: { sni: NAME, version: 'TLS 1.3' },
    });
    expect(connmarks(lab, 'gateway', { clientPort: record!.src_port })).toEqual([ACCEPTED]);
  });

  it('shows a forged one, of which no octet reaches the client', async () => {
    const engine = await Engine.start(lab, { config: configuration({ file: lab.path('keys') }) });
    await serve(bank.forgedChain);
    expect((await request(logging())).bytes).toBe(0);
    expect(await engine.logged(1)).toMatchObject([
      { verdict: { reason: 'pin-mismatch', evidence: 'decrypted', matched: null } },
    ]);
  });

  it('in which nothing comes decides by that', async () => {
    const engine = await Engine.start(lab, { config: configuration({ file: lab.path('keys') }) });
    await serve(bank.genuineChain);
    expect((await request()).bytes).toBe(0);
    expect(await engine.logged(1)).toMatchObject([{ verdict: { reason: 'keylog-missing', evidence: 'none' } }]);
  });

  it('in which nothing comes may let a probe decide', async () => {
    const config = configuration({ file: lab.path('keys') }, 'keylog-else-probe');
    const engine = await Engine.start(lab, { config });
    await serve(bank.genuineChain);
    expect((await request()).bytes).toBeGreaterThanOrEqual(BODY);
    expect(await engine.logged(1)).toMatchObject([{ verdict: { reason: 'probe-match', evidence: 'probed' } }]);
  });

  it('that is a socket takes what is piped there, and is gone with the engine', async () => {
    const socket = lab.path('keys.sock');
    const engine = await Engine.start(lab, { config: configuration({ socket }) });
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    const pipe = `tail -n 0 -F "$0" 2>/dev/null | exec "$1" -e '
      process.stdin.pipe(require("node:net").connect(process.argv[1], () => console.log("connected")))' "$2"`;
    const piping = lab.start('gateway', ['sh', '-c', pipe, lab.write('keys', ''), process.execPath, socket]);
    await piping.says(/connected/);
    await serve(bank.genuineChain);
    expect((await request(logging())).bytes).toBeGreaterThanOrEqual(BODY);
    expect(await engine.logged(1)).toMatchObject([{ verdict: { reason: 'pin-match', evidence: 'decrypted' } }]);
    await engine.child.stop('SIGTERM');
    expect(existsSync(socket)).toBe(false);
  });

  it('that cannot be had is said, and nothing is started', async () => {
    const file = lab.path('nowhere/keys');
    const config = lab.write('tlspin.json', JSON.stringify({ version: 1, ...configuration({ file }) }));
    const child = lab.start('gateway', [...TLSPIN, 'run', '-c', config, '--log', lab.path('log')]);
    expect(await child.ended).toMatchObject({ code: 1 });
    expect(child.errors).toContain(`error: key log ${file}: its directory cannot be watched (ENOENT): make it first\n`);
  });
});
