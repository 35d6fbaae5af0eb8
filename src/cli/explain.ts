/**
 * `tlspin explain`: why a flow of a capture was decided as it was, by the same engine that decides live. Without a flow
 * it lists those that there are. Owns flags and the look of it; what is said is explain/'s.
 */
import { type Command, InvalidArgumentError } from 'commander';

import { toHex } from '../bytes/hex.ts';
import type { VerdictEvent } from '../engine/events.ts';
import { loadPolicy } from '../pins/load.ts';
import { formatMessage } from '../pins/message.ts';
import type { Policy } from '../pins/policy.ts';
import { CertificateEntries } from '../report/certificate-entry.ts';
import { addressText, tlsVersionName, toEve } from '../report/eve.ts';
import { inspectCapture } from '../runtime/offline.ts';
import { readKeyLogs } from '../source/capture-secrets.ts';
import { describeCertificate } from '../x509/certificate.ts';
import { presentCertificate } from '../x509/presented.ts';
import {
  type ComparedPin,
  explain,
  type Explanation,
  type JudgedCheck,
  type JudgedPinset,
} from './explain/explanation.ts';
import { addExamples } from './help.ts';
import { Output, printable, type Style } from './output.ts';

interface Flags {
  readonly config: string;
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
    .requiredOption('-c, --config <file>', 'the configuration by which to decide')
    .option('--flow <number>', 'the flow: flow_id, as `tlspin inspect` prints it', parseFlow)
    .option('--keylog <file>', 'secrets with which to decrypt TLS 1.3 handshakes; can be given again', collect, [])
    .option('--json', 'print one JSON document')
    .action(async (capture: string, flags: Flags, self: Command) => {
      await run(capture, flags).catch((error: unknown) =>
        self.error(`error: ${error instanceof Error ? error.message : String(error)}`, { exitCode: 1 }),
      );
    });
  addExamples(
    command,
    { command: 'tlspin explain refused.pcap -c /etc/tlspin.json', does: 'the flows and their verdicts' },
    { command: 'tlspin explain refused.pcap -c /etc/tlspin.json --flow 3', does: 'why flow 3 was refused' },
  );
}

async function run(capture: string, flags: Flags): Promise<void> {
  const policy = policyOf(flags.config);
  const { events, proofs } = await read(capture, policy, flags.keylog);
  const out = new Output(process.stdout);
  if (flags.flow === undefined) return list(events, policy, flags.json === true, out);
  const event = events.findLast(({ flowId }) => flowId === flags.flow);
  if (event === undefined) {
    const known = events.map(({ flowId }) => flowId).join(', ');
    throw new Error(
      `there is no flow ${flags.flow} in ${capture}: ${known === '' ? 'there are none' : `there are ${known}`}`,
    );
  }
  const hello = event.tls?.clientHello;
  const proof = hello === null || hello === undefined ? undefined : proofs.get(toHex(hello.subarray(2, 34)));
  const explanation = explain(event, policy, proof);
  if (flags.json === true) out.json({ record: recordOf(event, policy), ...explanation });
  else show(event, explanation, out);
}

async function read(path: string, policy: Policy, keylogs: readonly string[]) {
  const events: VerdictEvent[] = [];
  const proofs = new Map<string, boolean>();
  try {
    await inspectCapture({
      path,
      policy,
      checksums: false,
      secrets: readKeyLogs(keylogs),
      onEvent: (event) => event.kind === 'verdict' && events.push(event),
      onProof: (clientRandom, proven) => proofs.set(toHex(clientRandom), proven),
    });
  } catch (error) {
    // What comes before the damage counts, as everywhere.
    const text = `${path}: ${error instanceof Error ? error.message : String(error)}`;
    if (events.length === 0) throw new Error(text, { cause: error });
    process.stderr.write(`tlspin explain: ${text}\n`);
    process.exitCode = 1;
  }
  return { events, proofs };
}

function list(events: readonly VerdictEvent[], policy: Policy, isJson: boolean, out: Output): void {
  if (isJson) return out.json(events.map((event) => recordOf(event, policy)));
  const rows = events.map((event) => [
    `${event.flowId}`,
    endpoint(event.client),
    endpoint(event.server),
    event.tls?.sni ?? '',
    (event.tls && tlsVersionName(event.tls.version)) ?? '',
    event.action,
    event.reason,
    event.pinset ?? '',
  ]);
  out.table(['FLOW', 'CLIENT', 'SERVER', 'NAME', 'VERSION', 'ACTION', 'REASON', 'PINSET'], rows);
}

function show(event: VerdictEvent, explanation: Explanation, out: Output): void {
  const { tls, action, reason, pinset, mode, evidence, would, fault, starttls } = event;
  const title = (text: string) => out.line(`\n${out.paint('bold', text)}`);
  const facts = [
    tls?.sni === null || tls === null ? 'no server name' : `server name ${printable(tls.sni)}`,
    tls === null ? 'no TLS' : (tlsVersionName(tls.version) ?? 'TLS of an unknown version'),
    ...(starttls === null ? [] : [`after ${starttls}`]),
    ...(tls?.sessionResumed === true ? ['session resumed'] : []),
  ];
  out.line(
    `${out.paint('bold', `flow ${event.flowId}`)}: ${endpoint(event.client)} to ${endpoint(event.server)}, ${facts.join(', ')}`,
  );
  const style: Style = action === 'accept' ? 'good' : 'bad';
  const outcome = [
    ...(pinset === null ? ['no pinset'] : [`pinset ${pinset} (${mode})`]),
    `evidence: ${evidence}`,
    ...(would === null ? [] : [`enforced it would be ${would}`]),
    ...(fault === null ? [] : [`fault: ${printable(fault)}`]),
  ];
  out.line(`verdict: ${out.paint(style, `${action}, ${reason}`)}, ${outcome.join(', ')}`);

  title('pinsets');
  for (const { pinset: name, chosenAs, why } of explanation.pinsets) {
    const chosen = chosenAs === null ? out.paint('faint', 'not chosen:') : out.paint('good', `chosen as ${chosenAs}:`);
    out.line(`  ${name}: ${chosen} ${printable(why)}`);
  }
  if (explanation.pinsets.every(({ chosenAs }) => chosenAs === null)) out.line('  the flow is unpinned');

  title(`certificates${explanation.certificates.length === 0 ? ': none was seen' : ''}`);
  for (const [index, { subject, issuer, notBefore, notAfter, spkiSha256 }] of explanation.certificates.entries()) {
    out.line(
      `  ${index + 1}${index === 0 ? ' (leaf)' : ''}: ${subject ?? 'unreadable'}, issued by ${issuer ?? 'unreadable'}`,
    );
    out.line(
      `     from ${notBefore?.slice(0, 10) ?? '?'} until ${notAfter?.slice(0, 10) ?? '?'}, spki-sha256:${spkiSha256 ?? ' unreadable'}`,
    );
  }
  for (const judged of explanation.judged)
    showJudged(judged, event.matched, explanation.certificates.length > 0, title, out);
  if (explanation.rules.length > 0) title('rules');
  for (const { rule, matches, verdict } of explanation.rules) {
    out.line(`  ${rule}: ${matches ? `true, ${verdict}` : 'not true'}`);
  }
  if (explanation.situation === null) return;
  const { key, values } = explanation.situation;
  title(`situation ${key}`);
  for (const { of, value } of values) out.line(`  ${of}: ${value}`);
  if (ASKS.test(values.map(({ value }) => value).join(' ')) && evidence === 'none') {
    out.line('  nobody can be asked offline: a running engine would probe the server');
  }
}

function showJudged(
  judged: JudgedPinset,
  matched: string | null,
  hasChain: boolean,
  title: (text: string) => void,
  out: Output,
): void {
  title(`pinset ${judged.pinset}${judged.reason === null ? '' : `: ${judged.reason}`}`);
  for (const compared of judged.pins.slice(0, SHOWN_PINS)) {
    const { pin, at, role } = compared;
    out.line(`  ${pin} (${at}${role === 'backup' ? ', backup' : ''})`);
    out.line(`     ${hasChain ? comparisonText(compared, pin === matched, out) : 'was not compared'}`);
  }
  if (judged.pins.length > SHOWN_PINS) out.line(`  and ${judged.pins.length - SHOWN_PINS} more pins: --json has them`);
  if (judged.denied !== null)
    out.line(`  ${out.paint('bad', 'deny pin')} ${judged.denied} is of one of the certificates`);
  for (const { check, value, outcome, detail } of judged.checks) {
    out.line(
      `  ${check} (${value}): ${out.paint(OUTCOMES[outcome], outcome)}${detail === '' ? '' : `, ${printable(detail)}`}`,
    );
  }
}

function comparisonText({ equals, counts, but }: ComparedPin, decided: boolean, out: Output): string {
  const where = equals.map((index) => `certificate ${index + 1}`).join(', ');
  if (counts) {
    const how = equals.length === 0 ? 'it ends the path' : `it is of ${where}`;
    return `${out.paint('good', 'matches')}: ${how}${decided ? ', and decided' : ''}`;
  }
  if (equals.length === 0)
    return `${out.paint('faint', 'no match')}: it is of none of the certificates${but === null ? '' : `; ${but}`}`;
  return `${out.paint('warn', 'no match')}: it is of ${where}, but ${but}`;
}

function endpoint({ address, port }: VerdictEvent['client']): string {
  return address.length === 4 ? `${addressText(address)}:${port}` : `[${addressText(address)}]:${port}`;
}

function recordOf(event: VerdictEvent, policy: Policy): unknown {
  const readers = { present: presentCertificate, describe: describeCertificate };
  return toEve(event, { certificates: new CertificateEntries(readers, policy.log.certificates) });
}

/** Says what is wrong with the file, and throws. */
function policyOf(file: string): Policy {
  const loaded = loadPolicy(file);
  if ('policy' in loaded) return loaded.policy;
  for (const message of loaded.errors) process.stderr.write(`${formatMessage(message)}\n`);
  throw new Error(`${file} is no valid configuration: nothing can be explained by it`);
}

function parseFlow(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a flow_id, such as 3.');
  return Number(text);
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

const OUTCOMES: Readonly<Record<JudgedCheck['outcome'], Style>> = {
  holds: 'good',
  fails: 'bad',
  'not-asked': 'faint',
  undecided: 'warn',
};
const ASKS = /probe/;
/** Of a pinset, in text. */
const SHOWN_PINS = 40;
