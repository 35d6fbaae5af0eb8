/**
 * The demonstration as it is told: what a forged server does without tlspin, and what becomes of it with tlspin between.
 * Runs where private.ts puts it; owns no network of its own after its end.
 */
import type { Screen } from './screen.ts';
import { type ClientView, NAME, Stage, type VerdictRecord, type Visit } from './stage.ts';

export interface DemoOptions {
  /** The command that runs this program, such as `['node', 'main.js']`. */
  readonly tlspin: readonly string[];
  readonly screen: Screen;
}

/** True when every outcome was the expected one. */
export async function runDemo({ tlspin, screen }: DemoOptions): Promise<boolean> {
  const stage = new Stage(tlspin);
  const interrupt = (): never => process.exit(INTERRUPTED);
  process.on('exit', stage.remove).once('SIGINT', interrupt).once('SIGTERM', interrupt).once('SIGHUP', interrupt);
  try {
    const pin = await stage.build();
    introduce(screen, stage);
    const outcomes = [await playUnprotected(screen, stage)];
    await stage.pin();
    install(screen, pin);
    for (const tls of ['1.2', '1.3'] as const) {
      for (const site of ['genuine', 'forged'] as const) {
        outcomes.push(await play(screen, stage, { site, ip: 4, tls }));
      }
    }
    screen.title('The same over IPv6');
    for (const tls of ['1.2', '1.3'] as const) {
      for (const site of ['genuine', 'forged'] as const) {
        outcomes.push(await playInALine(screen, stage, { site, ip: 6, tls }));
      }
    }
    const asExpected = outcomes.every((isExpected) => isExpected);
    screen.line();
    screen.line(
      asExpected
        ? screen.good('With tlspin the genuine server was reached, and the forged one was not.')
        : screen.bad('Not every outcome was the expected one.'),
    );
    return asExpected;
  } finally {
    await stage.stop();
    process.off('exit', stage.remove);
  }
}

const INTERRUPTED = 130;

function introduce(screen: Screen, stage: Stage): void {
  const [genuine, forged] = [stage.address('genuine', 4), stage.address('forged', 4)];
  screen.title('tlspin demo: a client, a gateway, two servers; all in private namespaces');
  screen.line();
  screen.line(`  client ── gateway ──┬── ${genuine.padEnd(13)}  ${NAME}, by Honest CA`);
  screen.line(`                      └── ${forged.padEnd(13)}  ${NAME}, by Careless CA`);
  screen.line();
  screen.line('  The client trusts both authorities. Somebody leads it to the forged server.');
  screen.line();
}

function install(screen: Screen, pin: string): void {
  screen.title('Now tlspin is on the gateway. It allows one key, and its authority as a backup');
  screen.line(`  ${screen.faint(`{ "name": "bank", "match": { "hosts": ["${NAME}"] },`)}`);
  screen.line(`  ${screen.faint(`  "pins": ["${pin}", …] }`)}`);
  screen.command('tlspin rules --apply -c demo.json');
  screen.command('tlspin run -c demo.json');
  screen.line();
}

async function playUnprotected(screen: Screen, stage: Stage): Promise<boolean> {
  const visit: Visit = { site: 'forged', ip: 4, tls: '1.3' };
  screen.title('Without tlspin, the forged server');
  screen.command(stage.command(visit).join(' '));
  const view = await stage.visit(visit);
  showClient(screen, view, screen.bad);
  screen.line();
  return view.page !== null;
}

/** One visit: what the client saw, what the log says, and whether both are as they should be. */
async function play(screen: Screen, stage: Stage, visit: Visit): Promise<boolean> {
  screen.title(`TLS ${visit.tls}, the ${visit.site} server`);
  if (visit.tls === '1.3') screen.line('  Its certificate is encrypted: tlspin asks the server itself, by a probe.');
  screen.command(stage.command(visit).join(' '));
  const view = await stage.visit(visit);
  showClient(screen, view, screen.good);
  const { verdict, tls } = await stage.verdict();
  screen.field(
    'verdict',
    `${inWords(screen, verdict)}, pinset ${verdict.pinset ?? 'none'}`,
    ...(verdict.matched === null ? [] : [`matched ${verdict.matched}`]),
    `${tls?.version ?? '?'}: subject ${tls?.subject ?? '?'}, issuer ${tls?.issuerdn ?? '?'}`,
  );
  const isExpected = asItShould(visit, view, verdict);
  if (!isExpected) screen.field('', screen.bad('which should not be'));
  screen.line();
  return isExpected;
}

async function playInALine(screen: Screen, stage: Stage, visit: Visit): Promise<boolean> {
  const view = await stage.visit(visit);
  const { verdict } = await stage.verdict();
  const isExpected = asItShould(visit, view, verdict);
  const shown = `${inWords(screen, verdict)}; ${view.page === null ? 'no page' : `"${view.page}"`}`;
  screen.field(`TLS ${visit.tls}`, `${visit.site.padEnd(9)}${shown}`, ...(isExpected ? [] : ['which should not be']));
  return isExpected;
}

function showClient(screen: Screen, { page, error }: ClientView, colour: (text: string) => string): void {
  screen.field(
    'client',
    page === null ? 'got no page' : `got the page: ${colour(`"${page}"`)}`,
    ...(error === null ? [] : [error]),
  );
}

function inWords(screen: Screen, { action, reason }: VerdictRecord['verdict']): string {
  return action === 'accept' ? screen.good(`${action}, ${reason}`) : screen.bad(`${action}, ${reason}`);
}

function asItShould({ site, tls }: Visit, view: ClientView, { action, reason }: VerdictRecord['verdict']): boolean {
  const kind = tls === '1.3' ? 'probe' : 'pin';
  return site === 'genuine'
    ? action === 'accept' && reason === `${kind}-match` && view.page !== null && view.error === null
    : action === 'tls-alert' && reason === `${kind}-mismatch` && view.page === null && view.error !== null;
}
