/** What a gateway shows the servers of its fleet, and what it wants to be shown: credentials of an account, and TLS. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { TLSPIN } from '../support/lab/engine.ts';
import { Fleet } from '../support/lab/fleet.ts';
import { Lab } from '../support/lab/lab.ts';
import { makeAccounts } from '../support/lab/nats-accounts.ts';
import { lacks } from '../support/programs.ts';

const NOBODY = 'no gateway has been heard of yet\n';

describe.skipIf(lacks('nats-server'))('servers of a fleet', () => {
  it('are shown credentials, and refuse those of a stranger', async () => {
    const { configuration, credentials, strange } = makeAccounts();
    await serve('accounts', configuration);
    lab.write('user.creds', credentials);
    lab.write('strange.creds', strange);
    const [known, stranger] = await Promise.all([
      status('creds', { credentials: 'user.creds' }),
      status('strange', { credentials: 'strange.creds' }),
    ]);
    expect(known).toBe(NOBODY);
    expect(stranger).toContain('the server refuses these credentials');
  });

  it('are believed by their certificate alone, and shown the gateway’s', async () => {
    const authority = lab.certificates.authority('fleet');
    const gateway = lab.certificates.authority('gateway');
    const server = lab.certificates.leaf('nats', { issuer: authority, names: ['localhost'] });
    const files = `cert_file: "${server.cert}", key_file: "${server.key}", ca_file: "${gateway.cert}", verify: true`;
    await serve('tls', `tls { ${files} }`);
    const shown = { cert: gateway.cert, key: gateway.key };
    const believed = status('tls', { tls: { ca: authority.cert, ...shown } }, 'tls');
    const doubts = [{ ca: authority.cert }, { ca: gateway.cert, ...shown }, shown].map((tls, number) =>
      status(`doubt${number}`, { tls }, 'tls'),
    );
    expect(await believed).toBe(NOBODY);
    for (const said of await Promise.all(doubts)) expect(said).toContain('no server of the fleet can be reached');
  });
});

// ---- the stage ----

let lab: Lab;
let fleet: Fleet;
let port = 4_300;

/** One server, by this part of its configuration. */
async function serve(name: string, part: string): Promise<void> {
  const text = `listen: "127.0.0.1:${++port}"\njetstream { store_dir: "${lab.path(name)}" }\n${part}\n`;
  await lab.start('server', ['nats-server', '-c', lab.write(`${name}.conf`, text)]).says(/Server is ready/, 30_000);
}

/** What `tlspin fleet status` says of the server that was started last. */
async function status(name: string, shown: object, scheme = 'nats'): Promise<string> {
  fleet.configure(name, {}, { servers: [`${scheme}://localhost:${port}`], nkey: undefined, ...shown });
  const asked = lab.start('server', [...TLSPIN, 'fleet', 'status', '-c', lab.path(`${name}.json`)]);
  await asked.ended;
  return asked.output + asked.errors;
}

beforeAll(() => {
  if (lacks('nats-server')) return;
  lab = new Lab({ hosts: ['client', 'server'] });
  fleet = new Fleet(lab);
});

afterAll(() => lab?.close());
