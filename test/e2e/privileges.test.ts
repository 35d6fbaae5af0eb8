/** What `tlspin run` has of root's once it runs, and that everything it opens it can open again without. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { loadPolicy } from '../../src/pins/load.ts';
import { renderRules } from '../../src/runtime/rules/render.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, forged, genuine, lab } from '../support/lab/twins-of-each.ts';

/** linux/capability.h */
const NET_ADMIN = (1n << 12n).toString(16).padStart(16, '0');

it('of all capabilities every thread has CAP_NET_ADMIN alone, and can gain none', async () => {
  const engine = await run({});
  for (const status of threads(engine)) {
    expect(status).toMatchObject({
      ...{ CapInh: NET_ADMIN, CapPrm: NET_ADMIN, CapEff: NET_ADMIN, CapBnd: NET_ADMIN, CapAmb: NET_ADMIN },
      NoNewPrivs: '1',
      Uid: '0 0 0 0',
    });
  }
});

it('leaves no core, is no debuggee, and makes files with the modes that are stated', async () => {
  const engine = await run({ config: { keylog: { socket: 'keys.sock' }, learn: { file: 'learned.json' } } });
  const limits = readFileSync(`${processFolder(engine)}/limits`, 'utf8');
  expect(limits).toMatch(/^Max core file size +0 +0/m);
  expect(readFileSync(`${processFolder(engine)}/status`, 'utf8')).toMatch(/^Umask:\s+0027$/m);
  process.kill(engine.pid!, 'SIGUSR1');
  expect(mode('verdicts.ndjson')).toBe('640');
  expect(mode('control.sock')).toBe('600');
  expect(mode('keys.sock')).toBe('600');
  expect(mode('.learned.json.lock')).toBe('700');
  await engine.stop();
  expect(engine.errors).not.toMatch(/debugger/i);
});

it.each([{ NODE_OPTIONS: '--inspect=0' }, { NODE_OPTIONS: '--inspect-port=0' }])(
  'does not start with %j',
  async (env) => {
    const engine = start({ env });
    expect(await engine.ended).toMatchObject({ code: 1 });
    expect(engine.errors).toContain("error: Node's debugger is asked for (--inspect)");
  },
);

it('becomes a user, and decides, reloads, reopens its log and keeps what it learned as that one', async () => {
  giveTo(NOBODY);
  const engine = await run({ config: { user: 'nobody', learn: { file: 'learned.json' } } });
  for (const status of threads(engine)) {
    expect(status).toMatchObject({
      ...{ CapInh: NET_ADMIN, CapPrm: NET_ADMIN, CapEff: NET_ADMIN, CapBnd: NET_ADMIN, CapAmb: NET_ADMIN },
      ...{ NoNewPrivs: '1', Uid: `${NOBODY} ${NOBODY} ${NOBODY} ${NOBODY}` },
    });
    expect(status['Groups']).not.toMatch(/\b0\b/);
  }
  rules();
  await startTlsServer(lab, 'server', { identity: genuine });
  await startTlsServer(lab, 'server', { identity: forged, port: 8443 });
  expect(await request()).toMatchObject({ error: null });
  expect((await request(8443)).error).toMatch(/alert/i);
  await engine.until(() => lines('verdicts.ndjson').length >= 2, 'two records');

  renameSync(lab.path('verdicts.ndjson'), lab.path('verdicts.1'));
  configure({ user: 'nobody', learn: { file: 'learned.json' }, log: { unpinned: true } });
  process.kill(engine.pid!, 'SIGHUP');
  await engine.says(/reloaded: configuration/);
  expect((await request(8443)).error).toMatch(/alert/i);
  await expect.poll(() => lines('verdicts.ndjson').length).toBeGreaterThan(0);
  expect(statSync(lab.path('verdicts.ndjson')).uid).toBe(NOBODY);
  const status = ctl('status') as { queues: { kernel: object | null }[] };
  expect(status.queues[0]!.kernel).not.toBeNull();
  expect((await engine.stop()).code).toBe(0);
});

it.each([
  ['that there is not', 'no-such-user', /there is no user "no-such-user"/],
  [
    'that may not write its log',
    'nobody',
    /log .*verdicts.ndjson: cannot be opened \(EACCES\): the user that tlspin runs as/,
  ],
])('a user %s ends it with a sentence', async (_, user, sentence) => {
  chmodSync(lab.directory, 0o755);
  const engine = start({ arguments: ['--user', user] });
  expect(await engine.ended).toMatchObject({ code: 1 });
  expect(engine.errors).toMatch(sentence);
});

it('says which file of the configuration the user cannot read again', async () => {
  giveTo(NOBODY);
  configure({});
  chownSync(lab.path('tlspin.json'), 0, 0);
  chmodSync(lab.path('tlspin.json'), 0o600);
  const engine = lab.start('gateway', command(['--user', String(NOBODY)]));
  await engine.says(/tlspin.json: \d+ cannot read it, so a reload will fail/);
});

// ---- the stage ----

const NOBODY = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));

/** The lab's directory is the user's. */
function giveTo(uid: number): void {
  chmodSync(lab.directory, 0o755);
  chownSync(lab.directory, uid, uid);
}

interface EngineOptions {
  readonly config?: Record<string, unknown>;
  readonly arguments?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

function configure(config: Record<string, unknown>): void {
  const pinsets = [{ name: 'bank', match: { hosts: [HOST], ports: [443, 8443] }, pins: [spkiPin(genuine.cert)] }];
  const document = { version: 1, pinsets, control: { socket: 'control.sock' }, ...config };
  writeFileSync(lab.path('tlspin.json'), JSON.stringify(document));
}

function command(more: readonly string[] = []): string[] {
  return [...TLSPIN, 'run', '-c', lab.path('tlspin.json'), '--log', lab.path('verdicts.ndjson'), ...more];
}

function start({ config = {}, env, arguments: more = [] }: EngineOptions): Child {
  configure(config);
  return lab.start('gateway', command(more), env === undefined ? {} : { env });
}

async function run(options: EngineOptions): Promise<Child> {
  const engine = start(options);
  await engine.says(/bound/);
  return engine;
}

function rules(): void {
  const loaded = loadPolicy(lab.path('tlspin.json'));
  if (!('policy' in loaded)) throw new Error('no policy');
  lab.shell(
    'gateway',
    renderRules(loaded.policy, { hook: 'forward', format: 'iptables', quic: true, queueBypass: false }),
  );
}

async function request(port = 443) {
  const [outcome] = await requestWithNode(lab, 'client', {
    ...{ host: lab.address('server'), servername: HOST, ca: ca.cert, port },
  });
  return outcome!;
}

function ctl(name: string): unknown {
  const text = lab.run('gateway', ...TLSPIN, 'ctl', name, '--json', '--control', lab.path('control.sock'));
  return (JSON.parse(text) as Record<string, unknown>)[name];
}

/** Those that run other programs end with them. */
function threads(engine: Child): Record<string, string>[] {
  const folder = `${processFolder(engine)}/task`;
  const texts = readdirSync(folder).map((thread) => textOf(`${folder}/${thread}/status`));
  return texts.filter(Boolean).map((text) => {
    const fields = text.split('\n').map((line) => line.split(/:\s*/, 2) as [string, string]);
    return Object.fromEntries(fields.map(([name, value = '']) => [name, value.trim().replace(/\s+/g, ' ')]));
  });
}

/** Empty where it is gone. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** These tests may have a PID namespace of their own, and still the /proc of the one around it. */
function processFolder({ pid }: Child): string {
  const own = readlinkSync('/proc/self/ns/pid');
  const found = readdirSync('/proc').find((name) => {
    try {
      const [, numbers] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))!;
      return numbers!.split(/\s+/).at(-1) === String(pid) && readlinkSync(`/proc/${name}/ns/pid`) === own;
    } catch {
      return false;
    }
  });
  return `/proc/${found}`;
}

function mode(name: string): string {
  return (statSync(lab.path(name)).mode & 0o7777).toString(8);
}

/** Of verdicts. */
function lines(name: string): string[] {
  try {
    return readFileSync(lab.path(name), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"event_type":"verdict"'));
  } catch {
    return [];
  }
}
