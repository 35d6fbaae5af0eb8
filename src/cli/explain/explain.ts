/**
 * `tlspin explain`: why a flow of a capture was decided as it was, by the same engine that decides live. Without a flow
 * it lists those that there are. Owns the flags; what is said is runtime/explain/'s, and how, explanation-text.ts.
 */
import { type Command, InvalidArgumentError } from 'commander';

import { printable } from '../../bytes/invisible.ts';
import type { VerdictEvent } from '../../judge/events.ts';
import type { Policy } from '../../pins/policy.ts';
import { CertificateEntries } from '../../report/certificate-entry.ts';
import { tlsVersionName, toEve } from '../../report/eve.ts';
import { endpointText, explain } from '../../runtime/explain/explanation.ts';
import { inspectCapture } from '../../runtime/offline.ts';
import { readKeyLogs } from '../../source/capture/secrets.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import { presentCertificate } from '../../x509/presented.ts';
import { neededConfig, policyOf } from '../configuration.ts';
import { showExplanation } from './text.ts';
import { addExamples } from '../help.ts';
import { Output } from '../output.ts';

interface Flags {
  readonly config?: string;
  readonly flow?: number;
  readonly keylog: readonly string[];
  readonly json?: true;
}

export function registerExplain(program: Command): void {
  const command = program
    .command('explain')
    .summary('say why a flow of a capture was decided as it was')
    .description(
      'Say why a flow of a capture was decided as it was: which pinsets were chosen and why the others were not, each pin ' +
        'compared with each certificate, checks, proof, and which situation applied. Without --flow, list the flows.',
    )
    .argument('<capture>', 'a capture (pcap or pcapng, also gzip; - is standard input)')
    .option('-c, --config <file>', 'the configuration by which to decide')
    .option('--flow <number>', 'the flow: flow_id, as `tlspin inspect` prints it', parseFlow)
    .option('--keylog <file>', 'secrets with which to decrypt TLS 1.3 handshakes; can be given again', collect, [])
    .option('--json', 'print one JSON document')
    .action(async (capture: string, flags: Flags, self: Command) => {
      const policy = policyOf(neededConfig(flags.config, self), self, 'nothing can be explained by it');
      await run(capture, policy, flags).catch((error: unknown) =>
        self.error(`error: ${error instanceof Error ? error.message : String(error)}`, { exitCode: 1 }),
      );
    });
  addExamples(
    command,
    { command: 'tlspin explain refused.pcap -c /etc/tlspin.json', does: 'the flows and their verdicts' },
    { command: 'tlspin explain refused.pcap -c /etc/tlspin.json --flow 3', does: 'why flow 3 was refused' },
  );
}

async function run(capture: string, policy: Policy, flags: Flags): Promise<void> {
  const events = await read(capture, policy, flags.keylog);
  const out = new Output(process.stdout);
  if (flags.flow === undefined) return list(events, policy, flags.json === true, out);
  const event = events.findLast(({ flowId }) => flowId === flags.flow);
  if (event === undefined) {
    const known = events.map(({ flowId }) => flowId).join(', ');
    throw new Error(
      `there is no flow ${flags.flow} in ${capture}: ${known === '' ? 'there are none' : `there are ${known}`}`,
    );
  }
  const explanation = explain(event, policy);
  if (flags.json === true) out.json({ record: recordOf(event, policy), ...explanation });
  else showExplanation(explanation, { flow: `flow ${event.flowId}`, isDecided: true, notes: [] }, out);
}

async function read(path: string, policy: Policy, keylogs: readonly string[]): Promise<VerdictEvent[]> {
  const events: VerdictEvent[] = [];
  try {
    await inspectCapture({
      path,
      policy,
      checksums: false,
      secrets: readKeyLogs(keylogs, (sentence) =>
        process.stderr.write(`tlspin explain: warning: ${printable(sentence)}\n`),
      ),
      onEvent: (event) => event.kind === 'verdict' && events.push(event),
    });
  } catch (error) {
    // What comes before the damage counts, as everywhere.
    const text = `${path}: ${error instanceof Error ? error.message : String(error)}`;
    if (events.length === 0) throw new Error(text, { cause: error });
    process.stderr.write(`tlspin explain: ${printable(text)}\n`);
    process.exitCode = 1;
  }
  return events;
}

function list(events: readonly VerdictEvent[], policy: Policy, isJson: boolean, out: Output): void {
  if (isJson) return out.json(events.map((event) => recordOf(event, policy)));
  const rows = events.map((event) => [
    `${event.flowId}`,
    endpointText(event.client),
    endpointText(event.server),
    event.tls?.sni ?? '',
    (event.tls && tlsVersionName(event.tls.version)) ?? '',
    event.action,
    event.reason,
    event.pinset ?? '',
  ]);
  out.table(['FLOW', 'CLIENT', 'SERVER', 'NAME', 'VERSION', 'ACTION', 'REASON', 'PINSET'], rows);
}

function recordOf(event: VerdictEvent, policy: Policy): unknown {
  const readers = { present: presentCertificate, describe: describeCertificate };
  return toEve(event, { certificates: new CertificateEntries(readers, policy.log.certificates) });
}

function parseFlow(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a flow_id, such as 3.');
  return Number(text);
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
