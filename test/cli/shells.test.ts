/** Completion and manual pages, as the programs that read them see them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { configurationJsonSchema } from '../../src/pins/document/schema.ts';
import { PIN_SPELLINGS } from '../../src/pins/document/spellings.ts';
import { ensureBuilt, tlspin } from '../support/command-line.ts';
import { lacks, started } from '../support/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'tlspin-shells-'));
let commands: string[] = [];

beforeAll(async () => {
  ensureBuilt();
  const { out } = await tlspin(['--help']);
  commands = [...out.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

async function script(shell: string): Promise<string> {
  const { status, out, err } = await tlspin(['completion', shell]);
  expect([status, err]).toEqual([0, '']);
  const path = join(folder, `tlspin.${shell}`);
  writeFileSync(path, out);
  return path;
}

/** Every key that a configuration may have, wherever it stands. */
function keysIn(node: unknown): Set<string> {
  if (typeof node !== 'object' || node === null) return new Set();
  const { properties = {} } = node as { properties?: object };
  return new Set([...Object.keys(properties), ...Object.values(node).flatMap((each) => [...keysIn(each)])]);
}

/** What the shell says of its own; nothing on its standard error. */
function said(shell: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(shell, args, { cwd: folder });
  expect([status, stderr.toString()]).toEqual([0, '']);
  return stdout.toString();
}

describe('bash', () => {
  const CASES: [words: string[], found: string][] = [
    [['tlspin', 'insp'], 'inspect'],
    [['tlspin', 'rules', '--ho'], '--hook'],
    [['tlspin', 'rules', '--hook', ''], 'forward local'],
    [['tlspin', 'rules', '--hook', 'local', '--form'], '--format'],
    [['tlspin', 'completion', ''], 'bash zsh fish'],
    [['tlspin', 'check', './tlspin.b'], './tlspin.bash'],
    [['tlspin', 'run', '-c', 'tlspin.b'], 'tlspin.bash'],
    [['tlspin', 'run', '--queue', ''], ''],
    [['tlspin', 'import', '--from', 'xt'], 'xt-sslpin'],
  ];

  it('understands the script', async () => {
    said('bash', ['-n', await script('bash')]);
  });

  it.each(CASES)('%j', async (words, found) => {
    const path = await script('bash');
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const line = `source ${path}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _tlspin; echo "\${COMPREPLY[*]}"`;
    expect(said('bash', ['--norc', '-c', line])).toBe(`${found}\n`);
  });

  it('knows every command', async () => {
    const line = `source ${await script('bash')}; COMP_WORDS=(tlspin ''); COMP_CWORD=1; _tlspin; echo "\${COMPREPLY[*]}"`;
    expect(said('bash', ['--norc', '-c', line]).trim().split(' ')).toEqual(commands);
  });
});

describe.skipIf(lacks('zsh'))('zsh', () => {
  it('understands the script', async () => {
    said(started('zsh'), ['-n', await script('zsh')]);
  });

  // Only a shell that somebody types into completes: it has a terminal of its own, and is read until it has said it.
  it.each([
    ['tlspin rules --hook ', 'forward*local'],
    ['tlspin ctl relo', 'ad'],
    ['tlspin import --from xt', '-sslpin'],
  ])('completes %j by %j', async (line, found) => {
    const typed = `zmodload zsh/zpty
      zpty typist TERM=dumb zsh -f -i
      zpty -w typist 'PROMPT=; autoload -Uz compinit && compinit -D -u; source ${await script('zsh')}; print REA''DY'
      zpty -r -m typist _ '*READY*'
      zpty -n -w typist ${`'${line}'`}$'\\t'
      zpty -r -m typist _ '*${found}*' && print completed
      zpty -d typist`;
    const { stdout, stderr } = spawnSync(started('zsh'), ['-f', '-c', typed], { cwd: folder, timeout: 20_000 });
    expect([stdout.toString(), stderr.toString()]).toEqual(['completed\n', '']);
  });
});

describe.skipIf(lacks('fish'))('fish', () => {
  it('understands the script and completes by it', async () => {
    const path = await script('fish');
    said(started('fish'), ['-n', path]);
    const complete = (line: string) =>
      said(started('fish'), ['--no-config', '-c', `source ${path}; complete -C '${line}'`])
        .trim()
        .split('\n')
        .map((one) => one.split('\t')[0]);
    expect(complete('tlspin ')).toEqual([...commands].sort());
    expect(complete('tlspin rules --hook ')).toEqual(['forward', 'local']);
    expect(complete('tlspin import --from xt')).toEqual(['xt-sslpin']);
  });
});

it('a shell that is not known: exit status 2, and those that are', async () => {
  const { status, err } = await tlspin(['completion', 'csh']);
  expect(status).toBe(2);
  expect(err).toContain('Allowed choices are bash, zsh, fish.');
});

describe('manual pages', () => {
  const page = async (...path: string[]) => {
    const { status, out, err } = await tlspin(['man', ...path]);
    expect([status, err]).toEqual([0, '']);
    return out;
  };

  it('of the program names every command', async () => {
    const out = await page();
    for (const name of commands) expect(out).toContain(`\n\\fB${name}\\fR\n`);
  });

  it('of a command has its options, choices, exit statuses and examples', async () => {
    const out = await page('rules');
    expect(out).toMatch(/^\.TH "TLSPIN\\-RULES" "1" "\d{4}\\?-\d\d\\?-\d\d" /);
    expect(out).toContain(
      '.TP\n\\fB\\-\\-hook \\fR\\fIhook\\fR\nWhose flows. One of forward, local. Default: forward.\n',
    );
    expect(out).toContain('.SH EXIT STATUS\n.TP\n\\fB0\\fR\n');
    expect(out).toContain('\\fBsudo tlspin rules \\-\\-apply \\-\\-remove\\fR\n');
  });

  it('of the configuration has every key, every situation and every spelling of a pin', async () => {
    const out = (await page('tlspin.json')).replaceAll('\\-', '-');
    expect(out).toMatch(/^\.TH "TLSPIN\.JSON" "5" /);
    const keys = keysIn(configurationJsonSchema());
    expect(keys.size).toBeGreaterThan(100);
    keys.delete('checks'); // a section of its own
    expect([...keys].filter((key) => !out.includes(`\n\\fB${key}\\fR `))).toEqual([]);
    const plain = out.replaceAll('\\e', '\\');
    expect(PIN_SPELLINGS.filter(({ form }) => !plain.includes(`\n\\fB${form}\\fR\n`))).toEqual([]);
    expect(out).toContain('\n\\fBtls13\\fR "probe" | "probe-else-accept" | "keylog" ');
    expect(out).toContain('Default: probe where pinned, accept elsewhere.\n');
  });

  it('of what is no command: exit status 2, and what was meant', async () => {
    expect(await tlspin(['man', 'rulse'])).toEqual({
      status: 2,
      out: '',
      err: "error: unknown command 'rulse'\n(Did you mean rules?)\n",
    });
  });

  it.skipIf(lacks('mandoc'))(
    'are what mandoc wants',
    async () => {
      for (const path of [[], ['tlspin.json'], ...commands.map((name) => [name])]) {
        const { status, stdout } = spawnSync(started('mandoc'), ['-T', 'lint', '-W', 'warning'], {
          input: await page(...path),
        });
        expect([path, status, stdout.toString()]).toEqual([path, 0, '']);
      }
    },
    180_000,
  );

  it.skipIf(lacks('man'))('are shown by man', async () => {
    const path = join(folder, 'tlspin-pin.1');
    writeFileSync(path, await page('pin'));
    const { status, stdout, stderr } = spawnSync(started('man'), ['--warnings', '-l', path], {
      env: { ...process.env, MANPAGER: 'cat', MANWIDTH: '120', LC_ALL: 'C.UTF-8' },
    });
    expect([status, stderr.toString()]).toEqual([0, '']);
    expect(stdout.toString().replace(/.\x08/g, '')).toMatch(/NAME\n +tlspin-pin - show the pins of a chain\n/);
  });
});
