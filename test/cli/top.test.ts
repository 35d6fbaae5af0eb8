/** `tlspin top` as a process on a real control socket, whose answers are made up, and on a terminal that script(1) makes. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { Child } from '../../src/runtime/demo/child.ts';
import { explain } from '../../src/runtime/explain/explanation.ts';
import { ControlServer } from '../../src/runtime/control/server.ts';
import { loadBinding } from '../../src/source/binding.ts';
import { ensureBuilt, MAIN, tlspin } from '../support/command-line.ts';
import { policy } from '../support/policy.ts';
import { flowAnswer, queueStanding, statsAnswer, statusAnswer, verdictAnswer } from '../support/top-answers.ts';
import { verdictEvent } from '../support/verdict-event.ts';

const HOSTILE = 'a\x1b[2J\x9b2J\u202eb';

let directory: string;
let socket: string;
let server: ControlServer | undefined;
let children: Child[];
/** As they came, without those for `status` and `stats`. */
let asked: Record<string, unknown>[];
let answers: Record<string, unknown>;
/** The last request has no answer. */
let isSilent: boolean;

beforeAll(ensureBuilt, 60_000);
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-top-'));
  socket = join(directory, 'control.sock');
  children = [];
  asked = [];
  answers = {
    status: { status: statusAnswer({ held: 1, queues: [queueStanding(0, { held: 1 })] }) },
    stats: { stats: statsAnswer([[500, 400, 99]], { verdicts: { 'accept pin-match': 5 } }) },
    flows: { flows: [flowAnswer(1, { held: 1, sni: HOSTILE })], next: null },
    verdicts: {
      verdicts: [verdictAnswer(2, { verdict: { action: 'tls-alert', reason: 'pin-mismatch', pinset: 'bank' } })],
    },
  };
  await serve();
});
afterEach(async () => {
  for (const child of children) await child.stop('SIGKILL');
  await server?.stop();
  rmSync(directory, { recursive: true });
});

async function serve(): Promise<void> {
  const answer = (request: Readonly<Record<string, unknown>>) => {
    const command = String(request['command']);
    if (command === 'flows' || command === 'verdicts') asked.push(request);
    const fields = answers[command];
    isSilent = fields === 'silence';
    if (isSilent) return new Promise<never>(() => {});
    return Promise.resolve({ ok: true as const, ...(fields as object) });
  };
  server = new ControlServer({ path: socket, mode: 0o600, answer, binding: loadBinding() });
  await server.start();
}

const top = (...args: string[]) => tlspin(['top', '--control', socket, ...args]);

describe('where nobody looks', () => {
  it('it is shown once, and that is all', async () => {
    const { status, out, err } = await top();
    expect([status, err]).toEqual([0, '']);
    expect(out).toMatch(/^tlspin 1\.2\.3, process 4711, up 100 s, /);
    expect(out).toMatch(/^ +0 +5\.0 +5\.0 +1\.0 +0 +1 +0 +0 +0$/m);
    expect(out).toMatch(/^accept +pin-match +0\.1 +5 +100\.0 %$/m);
    expect(out).toMatch(/^1 .* inspecting .* a\\x1b\[2J\\x9b2J\\x202eb$/m);
    expect(out).toMatch(/^2 .* tls-alert +pin-mismatch .* www\.bank\.example$/m);
    expect(out).not.toMatch(CONTROL);
  });

  it('flows are chosen as ctl flows does it', async () => {
    const { out } = await top('--name', '*.bank.example', '--port', '443', '--pinset', 'bank', '--address', '::1');
    expect(out).toContain('flows: only name *.bank.example, address ::1, port 443, pinset bank\n');
    const choice = { name: '*.bank.example', port: 443, pinset: 'bank', address: '::1', limit: 100 };
    expect(asked).toEqual([
      { command: 'flows', ...choice },
      { command: 'verdicts', ...choice },
    ]);
  });

  it('those that are held are asked for where a page does not reach them', async () => {
    answers['flows'] = { flows: [], next: 100 };
    expect((await top()).out).toContain('flows: more than are shown\n');
    expect(asked.map(({ command, held }) => [command, held])).toEqual([
      ['flows', undefined],
      ['flows', true],
      ['verdicts', undefined],
    ]);
  });

  it('as JSON it is one object a line, harmless for terminals, and once where that is wanted', async () => {
    const { status, out } = await top('--json', '--once');
    expect(status).toBe(0);
    expect(out.trimEnd().split('\n')).toHaveLength(1);
    expect(out).not.toMatch(CONTROL);
    expect(JSON.parse(out)).toMatchObject({
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      status: { version: '1.2.3', queue_bypass: false },
      stats: { packets: { received: 500 } },
      flows: [{ flow_id: 1, sni: HOSTILE }],
      verdicts: [{ flow_id: 2 }],
    });
  });

  it('JSON goes on round after round, also where the engine goes and comes back', async () => {
    const child = start(process.execPath, MAIN, 'top', '--control', socket, '--json', '--interval', '0.1');
    const records = () =>
      child.output
        .split('\n')
        .slice(0, -1)
        .map((text) => JSON.parse(text) as Record<string, unknown>);
    await child.until(() => records().length >= 3, 'three rounds');
    await server!.stop();
    await child.until(() => records().some((record) => record['error'] !== undefined), 'an error');
    const count = records().length;
    await serve();
    await child.until(
      () =>
        records()
          .slice(count)
          .some(({ status }) => status !== undefined),
      'a round after it',
    );
    expect(records().find(({ error }) => error !== undefined)).toEqual({
      time: expect.any(String) as string,
      error: expect.stringContaining(`control socket ${socket}: `) as string,
    });
    expect((await child.stop('SIGINT')).signal).toBe('SIGINT');
  });

  it('nobody to ask is exit status 1, and usage 2', async () => {
    await server!.stop();
    const { status, err } = await top('--once');
    expect([status, err]).toEqual([1, expect.stringMatching(/^error: control socket .*: there is none \(does tlspin/)]);
    expect(await top('--interval', '0')).toMatchObject({
      status: 2,
      err: expect.stringContaining('expected seconds, 0.1 or more') as string,
    });
    expect(await top('--onec')).toMatchObject({
      status: 2,
      err: expect.stringContaining('Did you mean --once') as string,
    });
  });
});

describe('on a terminal', () => {
  it('it is drawn in place, in colour, anew each interval, and the terminal is as it was after q', async () => {
    const child = await watch();
    const before = frames(child).length;
    answers['stats'] = { stats: statsAnswer([[900, 800, 99]]) };
    await child.until(
      () =>
        frames(child)
          .slice(before)
          .some((text) => /rates: over/.test(text)),
      'the next round',
    );
    expect(child.output.startsWith(ENTER)).toBe(true);
    const frame = frames(child).at(-1)!;
    expect(frame.split('\r\n')).toHaveLength(24);
    expect(frame).toContain('\x1b[33m   1\x1b[39m');
    expect(plain(frame)).toMatch(/^1 .*a\\x1b\[2J/m);
    child.write('q');
    expect((await child.ended).code).toBe(0);
    expect(child.output).toMatch(RESTORED);
  });

  it('Enter explains the flow that is the first on the screen, and Esc leads back', async () => {
    const explanation = explain(verdictEvent({ flowId: 1 }), policy());
    answers['explain'] = { flow_id: 1, phase: 'settled', decided: true, configuration_known: true, explanation };
    const child = await watch();
    expect(plain(frames(child).at(-1)!)).toContain('Enter explains 1 ');
    child.write('\r');
    await child.until(() => lastOf(child).includes('verdict: accept, pin-match: '), 'the explanation');
    expect(lastOf(child)).toMatch(/^flow 1 \(settled\): 10\.1\.2\.3:51514 to /);
    const explained = frames(child).length;
    child.write('\x1b');
    await child.until(
      () =>
        frames(child)
          .slice(explained)
          .some((text) => text.includes('QUEUE')),
      'the view again',
    );
    child.write('q');
    expect((await child.ended).code).toBe(0);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)(
    'it is as it was after %s, which ends it',
    async (signal) => {
      const child = await watch();
      process.kill(programOf(child), signal);
      const { code } = await child.ended;
      expect(code).toBe(128 + SIGNALS[signal]);
      expect(child.output).toMatch(RESTORED);
    },
  );

  it('it is as it was after Ctrl+C, which is SIGINT', async () => {
    const child = await watch();
    child.write('\x03');
    expect((await child.ended).code).toBe(130);
    expect(child.output).toMatch(RESTORED);
  });

  it('Ctrl+Z gives it back while it is stopped, and all is there again when it goes on', async () => {
    const shell = `set -m; ${commandLine()}; echo "[stopped $?]"; stty -a; sleep 0.3; fg; exit $?`;
    const child = await watch(shell);
    child.write('\x1a');
    await child.until(({ output }) => output.includes('[stopped 148]'), 'stopped');
    expect(child.output).toMatch(/\x1b\[\?25h\x1b\[\?1049l[^]*\[stopped 148\]/);
    await child.until(({ output }) => output.split(ENTER).length === 3, 'back again');
    expect(child.output).toMatch(/\[stopped 148\][^]* icanon [^]* echo /);
    child.write('q');
    expect((await child.ended).code).toBe(0);
    expect(child.output.endsWith(LEAVE)).toBe(true);
  });

  it('where nobody could continue it, Ctrl+Z stops nothing', async () => {
    const child = await watch();
    child.write('\x1a');
    await child.until(({ output }) => output.split(ENTER).length === 3, 'drawn again');
    child.write('q');
    expect((await child.ended).code).toBe(0);
  });

  it('another size is another view, at once', async () => {
    const child = await watch(undefined, '--interval', '60');
    const terminal = readlinkSync(`/proc/${programOf(child)}/fd/1`);
    expect(spawnSync('stty', ['-F', terminal, 'rows', '12', 'cols', '40']).status).toBe(0);
    // stty sets the rows first, then the columns: there is a view between them.
    const lines = () => frames(child).at(-1)!.split('\r\n');
    await child.until(() => lines().length === 12 && lines().every((text) => plain(text).length <= 40), 'drawn anew');
    for (const text of lines()) {
      // Behind a character in the last column, the terminal would take that one away too.
      expect(text).toMatch(/^\x1b\[K(?!.*\x1b\[K)/);
    }
  });

  it('an engine that ends, and one that comes, are seen and no end', async () => {
    const child = await watch();
    await server!.stop();
    await child.until(() => /! shown is what was \d+ s ago: control socket /.test(lastOf(child)), 'the loss');
    expect(lastOf(child)).toMatch(/^2 /m);
    answers['status'] = { status: statusAnswer({ pid: 4712, uptime: 1, version: '1.2.4' }) };
    await serve();
    await child.until(() => /tlspin 1\.2\.4, process 4712/.test(lastOf(child)), 'the new one');
    expect(lastOf(child)).not.toContain('control socket');
  });

  it('an engine that does not answer keeps nobody from leaving', async () => {
    const child = await watch();
    answers['stats'] = 'silence';
    await expect.poll(() => isSilent).toBe(true);
    const left = performance.now();
    child.write('q');
    expect((await child.ended).code).toBe(0);
    expect(performance.now() - left).toBeLessThan(5_000); // it has twice the time to answer
    expect(child.output).toMatch(RESTORED);
  });

  it('p pauses and goes on, h helps, and what is typed after / chooses a name', async () => {
    const child = await watch();
    child.write('p');
    await child.until(() => /paused/.test(lastOf(child)), 'the pause');
    await new Promise((resolve) => setTimeout(resolve, 250));
    const count = asked.length;
    child.write('h');
    await child.until(() => lastOf(child).includes('Esc all'), 'help');
    expect(asked.length).toBe(count);
    child.write(' ');
    await child.until(() => !/paused/.test(lastOf(child)), 'going on');
    child.write('/qp.x\x7fy');
    await child.until(() => lastOf(child).includes('or *.NAME: qp.y_'), 'what is typed');
    child.write('\r');
    await child.until(() => lastOf(child).includes('flows: only name qp.y'), 'the choice');
    await expect.poll(() => asked.at(-1)).toMatchObject({ name: 'qp.y' });
    child.write('\x1b');
    await child.until(() => !lastOf(child).includes('flows: only'), 'all again');
  });

  it('the arrows scroll the flows, as far as there are any', async () => {
    const child = await watch();
    child.write('\x1b[B\x1b[B\x1b[B');
    await child.until(() => /^flows: 1 above/m.test(lastOf(child)), 'the second one');
    expect(lastOf(child)).not.toMatch(/^1 /m);
    child.write('\x1b[5~');
    await child.until(() => /^1 /m.test(lastOf(child)), 'the first one');
  });

  it('colours are for who wants them', async () => {
    const child = await watch(`NO_COLOR=1 ${commandLine()}`);

    expect(frames(child).at(-1)).not.toMatch(/\x1b\[\d*m/);
  });

  it('one that can do nothing is written to once', async () => {
    const child = onTerminal(`TERM=dumb ${commandLine()}`);
    expect((await child.ended).code).toBe(0);
    expect(child.output).toMatch(/^tlspin 1\.2\.3/);
    expect(child.output).not.toContain('\x1b');
  });
});

// ---- the stage ----

function start(program: string, ...args: string[]): Child {
  const child = new Child(program, args, { env: { NO_COLOR: '', TERM: 'xterm' } });
  children.push(child);
  return child;
}

function commandLine(...args: string[]): string {
  return [process.execPath, MAIN, 'top', '--control', socket, '--interval', '0.1', ...args].join(' ');
}

/** Its exit status is the shell's; what the terminal's modes are in the end is said. */
function onTerminal(shell: string): Child {
  return start('script', '--quiet', '--flush', '--return', '--command', `bash -c '${shell}'`, '/dev/null');
}

/** From its first picture on. */
async function watch(shell?: string, ...args: string[]): Promise<Child> {
  const command = shell ?? `${commandLine(...args)}; code=$?; stty -a; exit $code`;
  const child = onTerminal(`stty rows 24 cols 120; ${command}`);
  await child.until(() => /h help/.test(lastOf(child)), 'it was drawn');
  return child;
}

/** The process that was started in the terminal, below script and its shells. */
function programOf(child: Child): number {
  const childOf = (pid: number): number => {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return first === undefined ? pid : childOf(Number(first));
  };
  return childOf(child.pid!);
}

/** Complete ones. */
function frames({ output }: Child): string[] {
  return output
    .split('\x1b[H')
    .slice(1)
    .filter((text) => text.includes(END))
    .map((text) => text.slice(0, text.indexOf(END)));
}

function plain(frame: string): string {
  return frame.replace(/\x1b\[[\d;?]*[A-Za-z]/g, '').replaceAll('\r', '');
}

function lastOf(child: Child): string {
  return plain(frames(child).at(-1) ?? '');
}

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const END = '\x1b[?2026l';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
/** The screen, the cursor, and the modes of the terminal: nothing is drawn after it. */

const RESTORED = /\x1b\[\?7h\x1b\[\?25h\x1b\[\?1049l[^\x1b]* icanon [^\x1b]* echo [^\x1b]*$/;
/** What a terminal would obey. */

const CONTROL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 };
