/**
 * What is measured beside the engine, and what drives it: compiled, or fetched, into build/bench. Of what cannot be had
 * the reason is told, and its column stays empty.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const HERE = import.meta.dirname;
const BUILT = join(HERE, '../../build/bench');

/** Paths by name; null where there is none. `short`: nothing is fetched. */
export function buildTools(short, note) {
  mkdirSync(BUILT, { recursive: true });
  return {
    visit: compile('visit', 'peers/visit.c', ['peers/script.h']),
    serve: compile('serve', 'peers/serve.c', ['peers/script.h']),
    acceptAll: compile('accept-all', 'yardsticks/accept-all.c'),
    classic: attempt(note, 'classic libnetfilter_queue (apt install libnetfilter-queue-dev)', () =>
      compile('classic', 'yardsticks/classic.c', [], ['-lnetfilter_queue']),
    ),
    npmNfqueue: attempt(note, `npm nfqueue ${NPM_NFQUEUE}`, () => npmNfqueue(short)),
    suricata: attempt(note, `Suricata of Debian ${SURICATA_RELEASE} (apt install debootstrap)`, () =>
      suricataRoot(short),
    ),
    nginx: find('nginx', note),
    openssl: find('openssl', note),
    tshark: find('tshark', note),
    ndpiReader: find('ndpiReader', note, 'libndpi-bin'),
  };
}

function compile(name, source, headers = [], libraries = []) {
  const output = join(BUILT, name);
  const inputs = [source, ...headers].map((file) => join(HERE, file));
  const isFresh = existsSync(output) && inputs.every((file) => statSync(file).mtimeMs < statSync(output).mtimeMs);
  if (!isFresh) {
    run('cc', ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-o', output, inputs[0], ...libraries]);
  }
  return output;
}

/** It wants the headers of libnetfilter_queue and Node. */
function npmNfqueue(short) {
  const module = join(BUILT, 'npm/node_modules/nfqueue');
  if (!existsSync(join(module, 'build/Release/nfqueue.node'))) {
    if (short) throw new Error('not fetched in the short form');
    const into = ['--prefix', join(BUILT, 'npm'), '--no-save', '--no-audit', '--no-fund'];
    run('npm', ['install', ...into, '--ignore-scripts', `nfqueue@${NPM_NFQUEUE}`]);
    run('npx', ['node-gyp', 'rebuild', '-C', module]);
  }
  return module;
}

/** A root of Debian's with Suricata in it: this machine's release may have none, or an older one. */
function suricataRoot(short) {
  const root = process.env.TLSPIN_BENCH_SURICATA ?? join(BUILT, 'suricata');
  if (!existsSync(join(root, 'usr/bin/suricata'))) {
    if (short) throw new Error('not fetched in the short form');
    run('debootstrap', ['--variant=minbase', '--include=suricata,libndpi-bin,tshark', SURICATA_RELEASE, root]);
  }
  return root;
}

function attempt(note, what, build) {
  try {
    return build();
  } catch (error) {
    note(`not had: ${what}: ${error.message}`);
    return null;
  }
}

function find(program, note, packageName = program) {
  return attempt(note, `${program} (apt install ${packageName})`, () =>
    run('sh', ['-c', `command -v ${program}`]).trim(),
  );
}

/** Throws the last line that says why. */
function run(program, args) {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  try {
    return execFileSync(program, args, { encoding: 'utf8', env, cwd: HERE, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const lines = `${error.stderr ?? error.message}`.trim().split('\n');
    throw new Error(lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? 'failed', { cause: error });
  }
}

const SURICATA_RELEASE = 'trixie';
/** The last that was published. */
const NPM_NFQUEUE = '0.3.2';
