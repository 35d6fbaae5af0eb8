/**
 * `npm run package:deb [-- ARCH…]`: Debian packages, for amd64 and arm64 unless one is named, into packaging/out. Out of the
 * npm tarball there, which has everything that tlspin depends on; manual pages and completions the program writes itself,
 * units are those of packaging/systemd. Wants dpkg-dev and debhelper, which know what a package has to do on a machine: see
 * packaging/debian.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'packaging/out');
const NODE_ARCH = { amd64: 'x64', arm64: 'arm64' };
/** Of the tarball: types, maps, sources, and what packages of npm have for those who work on them. */
const UNUSED =
  /\.(ts|mts|cts|map|c|h|gyp|md|markdown|yml|sh)$|node_modules\/.*\.html$|node_modules\/.*\/(\.[^/]+|test|tests|benchmarks?|examples?|docs)(\/|$)/;

const asked = process.argv.slice(2);
const archs = asked.length > 0 ? asked : Object.keys(NODE_ARCH);
const { version: own } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const version = `${own}-1`;
const unknown = archs.filter((arch) => NODE_ARCH[arch] === undefined);
if (unknown.length > 0) fail(2, `there is no package for ${unknown.join(', ')}: amd64, arm64`);

for (const arch of archs) {
  const work = mkdtempSync(join(tmpdir(), 'tlspin-deb-'));
  try {
    const made = await build(arch, work);
    mkdirSync(OUT, { recursive: true });
    cpSync(join(work, made), join(OUT, made));
    process.stdout.write(`packaging/out/${made}\n`);
  } catch (error) {
    fail(1, `${arch}: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** The package's name, in `work`. */
async function build(arch, work) {
  const source = join(work, 'tlspin');
  const staged = join(source, 'staged');
  mkdirSync(staged, { recursive: true });
  stageProgram(arch, work, staged);
  await stageShells(staged);
  stageDebian(source);
  run('dpkg-buildpackage', ['--build=binary', '--no-sign', '-d', `--host-arch=${arch}`], { cwd: source });
  return `tlspin_${version}_${arch}.deb`;
}

/** What runs, and no more of it. */
function stageProgram(arch, work, staged) {
  const addon = `linux-${NODE_ARCH[arch]}`;
  const tarball = join(OUT, `tlspin-${own}.tgz`);
  if (!existsSync(tarball)) throw new Error(`${tarball} is not there: npm run package:npm`);
  run('tar', ['-xzf', tarball, '-C', work]);
  const unpacked = join(work, 'package');
  const target = join(staged, 'tlspin');
  mkdirSync(target);
  for (const name of ['dist', 'node_modules', 'package.json'])
    cpSync(join(unpacked, name), join(target, name), { recursive: true });
  for (const path of readdirSync(target, { recursive: true })) {
    const isOther = path.includes('/prebuilds/') && !path.includes(addon) && path.endsWith('.node');
    const isMusl = path.endsWith('.musl.node');
    if (isOther || isMusl || UNUSED.test(path)) rmSync(join(target, path), { recursive: true, force: true });
  }
  run('sh', ['-c', `find ${target} -type d -empty -delete; chmod -R u=rwX,go=rX ${target}`]);
  run('sh', ['-c', `find ${target} -type f -exec chmod a-x {} + && chmod a+x ${target}/dist/cli/main.js`]);
  const main = join(target, 'dist/cli/main.js');
  writeFileSync(main, readFileSync(main, 'utf8').replace('#!/usr/bin/env node', '#!/usr/bin/node'));
  cpSync(join(ROOT, 'packaging/debian/tlspin.json'), join(staged, 'tlspin.json'));
  const doc = join(staged, 'doc');
  mkdirSync(doc);
  for (const name of ['README.md', 'CHANGELOG.md', 'SECURITY.md', 'docs'])
    cpSync(join(unpacked, name), join(doc, name), { recursive: true });
  // Debian compresses documentation, and others are to read these.
  const share = join(staged, 'share');
  mkdirSync(share);
  for (const name of ['prometheus/alerts.yml', 'grafana/tlspin.json'])
    cpSync(join(ROOT, 'packaging', name), join(share, basename(name)));
}

/** One process writes all of it. */
async function stageShells(staged) {
  process.stdout.setMaxListeners(0);
  const { runProgram } = await import(join(staged, 'tlspin/dist/cli/program.js'));
  const written = async (...args) => {
    const pieces = [];
    const write = process.stdout.write;
    process.stdout.write = (piece) => pieces.push(piece) > 0;
    await runProgram(args).finally(() => (process.stdout.write = write));
    if (process.exitCode) throw new Error(`tlspin ${args.join(' ')} failed`);
    return pieces.join('');
  };
  const save = (path, text) => {
    mkdirSync(join(staged, path, '..'), { recursive: true });
    writeFileSync(join(staged, path), text);
  };
  save('bash-completion/tlspin', await written('completion', 'bash'));
  save('zsh/_tlspin', await written('completion', 'zsh'));
  save('fish/tlspin.fish', await written('completion', 'fish'));
  save('man/tlspin.json.5', await written('man', 'tlspin.json'));
  for (const left = [[]]; left.length > 0;) {
    const path = left.shift();
    const page = await written('man', ...path);
    save(`man/${['tlspin', ...path].join('-')}.1`, page);
    const commands = /^\.SH COMMANDS\n(.*?)^\.SH/ms.exec(page)?.[1] ?? '';
    const named = [...commands.matchAll(/^\\fB(.*)\\fR$/gm)].map(([, name]) => name.replaceAll('\\', '').split(' '));
    left.push(...named.filter((name) => name.at(-1) !== 'help'));
  }
}

function stageDebian(source) {
  const debian = join(source, 'debian');
  cpSync(join(ROOT, 'packaging/debian'), debian, { recursive: true });
  rmSync(join(debian, 'tlspin.json'));
  const license = readFileSync(join(ROOT, 'LICENSE'), 'utf8').trimEnd().replace(/^/gm, ' ').replace(/^ $/gm, ' .');
  const copyright = join(debian, 'copyright');
  writeFileSync(copyright, readFileSync(copyright, 'utf8').replace('@LICENSE@', license));
  const maintainer = /^Maintainer: (.*)$/m.exec(readFileSync(join(debian, 'control'), 'utf8'))[1];
  const date = run('date', ['-R', '-d', run('git', ['log', '-1', '--format=%cI'], { cwd: ROOT }).trim()]).trim();
  const changes = `tlspin (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${maintainer}  ${date}\n`;
  writeFileSync(join(debian, 'changelog'), changes);
  const units = join(ROOT, 'packaging/systemd');
  for (const unit of readdirSync(units))
    cpSync(join(units, unit), join(debian, unit === 'tlspin.service' ? unit : `tlspin.${unit}`));
}

function run(program, args, options = {}) {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
}

function fail(status, message) {
  process.stderr.write(`package:deb: ${message}\n`);
  process.exit(status);
}
