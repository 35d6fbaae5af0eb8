/** The measurements, in private namespaces: run.mjs starts it with its plan. Prints the table, or JSON. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

import { FIGURES } from './figures.mjs';
import { Lab } from './lab.mjs';
import { HOST } from './recording.mjs';
import { measureInTurn } from './rounds.mjs';
import { formatTable, judge, number } from './table.mjs';

// Our own processes' numbers; without (in some containers) nobody's CPU is told.
spawnSync('mount', ['-t', 'proc', 'proc', '/proc']);

const plan = JSON.parse(process.argv[2]);
const isAsked = ({ name }) => plan.names.length === 0 || plan.names.some((start) => name.startsWith(start));
const chosen = FIGURES.filter((figure) => isAsked(figure) && !(plan.short && figure.longOnly));
const machine = {
  date: new Date().toISOString(),
  kernel: release(),
  cpu: `${cpus().length} x ${cpus()[0]?.model}`,
  node: process.version,
  /** Runnable processes ahead of the run: anything above 0.1 a CPU is noise. */
  load: Number(readFileSync('/proc/loadavg', 'latin1').split(' ')[0]),
};
/** How often a figure is measured before the short form says that it is lost: neighbours may be noisy for seconds. */
const ATTEMPTS = plan.short ? 5 : 1;
const say = (line) => process.stderr.write(`${line}\n`);

let lab;
const results = [];
try {
  if (chosen.some(({ visit }) => visit !== undefined)) {
    lab = await Lab.create(plan);
    await checkDecisions();
    if (chosen.some(({ sides }) => sides?.suricata) && lab.has('suricata')) await checkSuricata();
  }
  for (const figure of chosen) {
    const { name, title, unit, goal } = figure;
    let result;
    for (let attempt = 0; attempt < ATTEMPTS && !result?.kept; attempt++) {
      say(attempt === 0 ? `${name} …` : `${name}: ${number(result.measured)}, once more …`);
      const measurement = await measure(figure, attempt);
      result = { ...measurement, ...judge(figure, measurement) };
    }
    results.push({ name, title, unit, goal, ...result });
  }
} catch (error) {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
} finally {
  await lab?.close();
}
// Where everything has to be there, what cannot be had is lost too.
const lost = results.filter(({ kept, measured }) => !kept || (measured === null && process.env.CI !== undefined));
if (plan.json) {
  console.log(JSON.stringify({ machine, rounds: plan.rounds, seconds: plan.seconds, short: plan.short, results }));
} else {
  console.log(
    `${Object.values(machine).slice(0, 4).join(', ')}, load ${machine.load}; ${plan.rounds} rounds of ${plan.seconds} s\n`,
  );
  console.log(formatTable(results));
}
if (plan.short && lost.length > 0) {
  say(`bench: more than a fifth short of the goal, or of what was reached: ${lost.map(({ name }) => name).join(', ')}`);
  process.exitCode = 1;
}
process.exit();

async function measure(figure, attempt) {
  if (figure.measure !== undefined) return figure.measure(plan);
  if (figure.isPossible?.(lab) === false) return { measured: null, ratios: [], why: 'a program is missing' };
  return measureInTurn(figure, lab, plan, attempt);
}

/** What is fast must also be right: the pinned engine has to say pin-match, of new certificates too, and nothing else. */
async function checkDecisions() {
  await lab.put('tlspin:pinned');
  for (const kind of ['handshake', 'new-certificate', 'p256']) {
    const records = [];
    // An engine's first flows take their time, on a busy machine even more so.
    for (let visits = 0; records.length < 2 && visits < 20; visits++) {
      await lab.visit(kind, { atOnce: 1, seconds: 0.2, warm: 0 });
      const taken = await lab.takeVerdicts('pinned');
      records.push(...taken.filter(({ verdict }) => verdict.reason !== 'incomplete'));
    }
    const reasons = new Set(records.map(({ verdict }) => verdict.reason));
    const leaves = new Set(records.map(({ tls }) => tls.fingerprint));
    if (records.length < 2 || [...reasons].join() !== 'pin-match' || leaves.size > 1 !== (kind === 'new-certificate')) {
      throw new Error(`${kind}: ${records.length} records, ${[...reasons].join(', ')}, ${leaves.size} certificates`);
    }
  }
}

/** The same of Suricata: its rule wants the recorded certificate, and lets no other one by. */
async function checkSuricata() {
  await lab.put('suricata');
  await lab.visit('handshake', { atOnce: 1, seconds: 0.5, warm: 0 });
  const { handshakes } = await lab.visit('new-certificate', { atOnce: 1, seconds: 0.5, warm: 0 });
  const seen = lab.readSuricata();
  if (!seen.some(({ tls }) => tls.sni === HOST && tls.fingerprint !== undefined) || handshakes > 0) {
    throw new Error(`Suricata: ${seen.length} handshakes with certificates, ${handshakes} others pass`);
  }
}
