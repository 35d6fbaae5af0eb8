/**
 * `npm run prebuilds [-- TARGET…]`: the addon for machines that have no compiler, into prebuilds/, where node-gyp-build looks
 * for it. Node-API's binary interface is that of every Node.js; what differs is processor and C library:
 *
 *   linux-x64-glibc, linux-x64-musl, linux-arm64-glibc, linux-arm64-musl
 *
 * Knows Debian's compilers (gcc-aarch64-linux-gnu for arm64); musl's headers it gets by apt where they are not installed.
 * What is built for this machine, in build/, stays as it is.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const HERE = import.meta.dirname;
const PROCESSORS = {
  x64: { debian: 'amd64', triple: 'x86_64-linux-gnu' },
  arm64: { debian: 'arm64', triple: 'aarch64-linux-gnu' },
};
const TARGETS = Object.keys(PROCESSORS).flatMap((arch) => ['glibc', 'musl'].map((libc) => `linux-${arch}-${libc}`));

const asked = process.argv.slice(2);
const unknown = asked.filter((target) => !TARGETS.includes(target));
if (unknown.length > 0) {
  process.stderr.write(`prebuild: there is no ${unknown.join(', ')}: ${TARGETS.join(', ')}\n`);
  process.exit(2);
}
for (const target of asked.length > 0 ? asked : TARGETS) {
  const [, arch, libc] = target.split('-');
  const work = mkdtempSync(join(tmpdir(), 'node-nfqueue-'));
  try {
    prebuild(arch, libc, work);
    process.stdout.write(`${target}\n`);
  } catch (error) {
    process.stderr.write(`prebuild: ${target}: ${error.message}\n${error.stderr ?? ''}${error.stdout ?? ''}\n`);
    process.exitCode = 1;
  } finally {
    rmSync(work, { recursive: true });
  }
}

function prebuild(arch, libc, work) {
  for (const name of readdirSync(HERE).filter((name) => /\.(c|h|gyp)$/.test(name)))
    cpSync(join(HERE, name), join(work, name));
  const compiler = compilerFor(arch);
  const flags = libc === 'musl' ? muslFlags(arch, compiler, work) : { CFLAGS: '', LDFLAGS: '' };
  const env = { ...process.env, CC: compiler, CXX: compiler, ...flags, LDFLAGS: `-s ${flags.LDFLAGS}` };
  run('npx', ['--no-install', 'node-gyp', 'rebuild', '-C', work, `--arch=${arch}`, '--loglevel=warn'], {
    env,
    cwd: HERE,
  });
  const into = join(HERE, `prebuilds/linux-${arch}`);
  mkdirSync(into, { recursive: true });
  cpSync(join(work, 'build/Release/node_nfqueue.node'), join(into, `node-nfqueue.${libc}.node`));
}

function compilerFor(arch) {
  if (arch === process.arch) return 'cc';
  const { triple } = PROCESSORS[arch];
  try {
    run(`${triple}-gcc`, ['--version']);
  } catch {
    throw new Error(`${triple}-gcc is not here: apt install gcc-${triple.replace('_', '-')}`);
  }
  return `${triple}-gcc`;
}

/** Its headers instead of glibc's, and no library: an addon finds the C library in the process. */
function muslFlags(arch, compiler, work) {
  const { triple } = PROCESSORS[arch];
  const own = run(compiler, ['-print-file-name=include']).trim();
  const kernel = arch === process.arch ? ['/usr/include', `/usr/include/${triple}`] : [`/usr/${triple}/include`];
  const folders = [
    `-isystem ${own}`,
    `-isystem ${muslHeaders(arch, work)}`,
    ...kernel.map((name) => `-idirafter ${name}`),
  ];
  const atomics = arch === 'arm64' ? ' -mno-outline-atomics' : '';
  return { CFLAGS: `-nostdinc ${folders.join(' ')}${atomics}`, LDFLAGS: '-nostdlib' };
}

function muslHeaders(arch, work) {
  const { debian, triple } = PROCESSORS[arch];
  const folder = `usr/include/${triple.replace('gnu', 'musl')}`;
  if (existsSync(`/${folder}`)) return `/${folder}`;
  // With lists of its own: the machine's say nothing of other processors.
  mkdirSync(join(work, 'lists/partial'), { recursive: true });
  mkdirSync(join(work, 'cache/archives/partial'), { recursive: true });
  const settings = {
    'APT::Architecture': debian,
    'APT::Architectures': debian,
    'APT::Sandbox::User': 'root',
    'Dir::State::lists': join(work, 'lists'),
    'Dir::Cache': join(work, 'cache'),
    'Acquire::Languages': 'none',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run('apt-get', [...options, 'update', '-qq'], { cwd: work });
  run('apt-get', [...options, 'download', '-qq', 'musl-dev'], { cwd: work });
  const file = readdirSync(work).find((name) => name.endsWith('.deb'));
  run('dpkg', ['-x', file, 'musl'], { cwd: work });
  return join(work, 'musl', folder);
}

function run(program, args, options = {}) {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
}
