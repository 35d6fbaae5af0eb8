/**
 * `tlspin ctl explain`: the running engine is asked first; what it does not remember, or where none runs, is told by its
 * record in the log. Owns the flags; what is said is runtime/explain/'s.
 */
import type { Command } from 'commander';

import type { Policy } from '../../pins/policy.ts';
import { loadPolicy } from '../../pins/load.ts';
import { parseHostPort } from '../../report/endpoint.ts';
import { addressText } from '../../report/eve.ts';
import type { VerdictRecord } from '../../report/schema.ts';
import { explainRecord } from '../../runtime/explain/recorded.ts';
import { ControlClient } from '../../runtime/control/client.ts';
import { type ControlFlags, socketOf } from '../control.ts';
import { showExplanation } from '../explain/text.ts';
import { Output } from '../output.ts';
import { decisions, type SourceFlags, sourcesOf } from './log-sources.ts';
import { timeText } from './since.ts';
import { type Fields, showExplained } from './text.ts';

export async function explainFlow(flow: string, flags: SourceFlags, command: Command): Promise<void> {
  const out = new Output(process.stdout);
  try {
    const answer = await askEngine(flow, flags);
    if (!(answer instanceof Error)) return show(answer, flags, out, () => showExplained(answer, out));
    await explainByLog(flow, flags, answer, out);
  } catch (error) {
    command.error(`error: ${(error as Error).message}`, { exitCode: 1 });
  }
}

/** An error is an answer too: the log may know better. */
async function askEngine(flow: string, flags: ControlFlags): Promise<Fields | Error> {
  let client: ControlClient | undefined;
  try {
    client = await ControlClient.connect(socketOf(flags));
    return await client.ask({ command: 'explain', flow });
  } catch (error) {
    return error as Error;
  } finally {
    client?.close();
  }
}

async function explainByLog(flow: string, flags: SourceFlags, refusal: Error, out: Output): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`tlspin ctl explain: ${line}\n`);
  const sources = await sourcesOf(flags, -Infinity, say).catch(() => undefined);
  if (sources === undefined) throw refusal;
  const isOf = matcherOf(flow);
  const found: VerdictRecord[] = [];
  let count = 0;
  for await (const record of decisions(sources, -Infinity, say)) {
    if (!isOf(record)) continue;
    count++;
    if (found.length === 0 || record.timestamp >= found[0]!.timestamp) found[0] = record;
  }
  const [record] = found;
  if (record === undefined) {
    if (sources.files.length === 0) throw refusal;
    throw new Error(`no flow ${flow} is in ${sources.files.join(', ')}; and ${refusal.message}`);
  }
  const file = flags.config ?? sources.configuration;
  if (file === undefined)
    throw new Error(`flow ${flow} is in the log: name the configuration to explain it by, with -c`);
  const policy = policyIn(file);
  const { explanation, isWhole } = explainRecord(record, policy);
  const notes = [
    `told by the log, as of ${timeText(record.timestamp)}`,
    ...(count > 1
      ? [`the log has ${count} decisions that fit; told is the latest: name the client as ADDRESS:PORT`]
      : []),
    ...(policy.hash !== record.verdict.config
      ? [`the configuration has changed since; told is what ${file} says now`]
      : []),
    ...(isWhole
      ? []
      : ['the record has digests of the certificates: "log": { "certificates": "full" } keeps them whole']),
  ];
  const title = { flow: `flow ${record.flow_id} (in the log)`, isDecided: true, notes };
  const configurationKnown = policy.hash === record.verdict.config;
  const answer = { flow_id: record.flow_id, phase: 'logged', decided: true, configuration_known: configurationKnown };
  show({ ok: true, ...answer, record, explanation }, flags, out, () => showExplanation(explanation, title, out));
}

function policyIn(file: string): Policy {
  const loaded = loadPolicy(file);
  if ('policy' in loaded) return loaded.policy;
  throw new Error(`${file} is no valid configuration: see tlspin check ${file}`);
}

function show(answer: Fields, { json }: ControlFlags, out: Output, text: () => void): void {
  if (json === true) out.json(answer);
  else text();
}

/** `1234`, or the client as ADDRESS:PORT. */
function matcherOf(flow: string): (record: VerdictRecord) => boolean {
  const client = parseHostPort(flow);
  if (client === undefined) return ({ flow_id: id }) => String(id) === flow;
  const address = addressText(client.address);
  return ({ src_ip: ip, src_port: port }) => ip === address && port === client.port;
}
