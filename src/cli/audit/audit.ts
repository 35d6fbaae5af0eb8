/**
 * `tlspin audit`: asks the hosts of a configuration what they show now, and says how its pins stand. Owns the flags and
 * the exit status, which is the answer; what is found is findings.ts.
 */
import { type Command, InvalidArgumentError } from 'commander';

import { printable } from '../../bytes/invisible.ts';
import type { CompiledPin, CompiledPinset } from '../../pins/policy.ts';
import { hostPort } from '../../report/endpoint.ts';
import { tlsVersionName } from '../../report/eve.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import { neededConfig, policyOf } from '../configuration.ts';
import { addExamples, setExitStatuses } from '../help.ts';
import { Output, type Style } from '../output.ts';
import { type Answers, askAll, type Shown } from './asking.ts';
import { type AuditFinding, findingsOf, keyOf } from './findings.ts';
import { type Targets, targetsOf } from './targets.ts';

interface Flags {
  readonly config?: string;
  readonly json?: true;
  readonly days: number;
}

export function registerAudit(program: Command): void {
  const command = program
    .command('audit')
    .summary('ask the pinned hosts what they show, and say how the pins stand')
    .description(
      'Ask every pinned host what it shows now (each of its addresses, keys of RSA and of ECDSA, behind STARTTLS on the ' +
        'ports of mail and the like), and say which pins are in use and which nobody shows, which hosts would be denied or ' +
        'lack a backup, what ends soon, and where keys are being changed. What a server says now is no proof of its key.',
    )
    .argument('[host...]', 'further hosts to ask, which a pattern such as *.bank.example covers')
    .option('-c, --config <file>', 'the configuration')
    .option('--days <number>', 'how many days ahead an end is worth a word', days, 30)
    .option('--json', 'print one JSON document')
    .action(async (hosts: string[], flags: Flags, self: Command) => {
      const policy = policyOf(neededConfig(flags.config, self), self, 'nobody was asked');
      const targets = targetsOf(policy, hosts);
      const answers = await askAll(targets.targets);
      const pinsets = policy.pinsets.filter(({ pins }) => pins.length > 0);
      const nowMs = Date.now();
      const findings = pinsets.flatMap((pinset) => findingsOf(pinset, answers, nowMs, flags.days * DAY_MS));
      const out = new Output(process.stdout);
      if (flags.json === true) out.json(documentOf(policy.hash, pinsets, targets, answers, findings));
      else show(pinsets, targets, answers, findings, out);
      process.exitCode = statusOf(findings, targets);
    });
  setExitStatuses(command, [
    [0, 'The pins are as they should be.'],
    [
      1,
      'Something wants attention: an end that is near, a backup, a change of keys. Also: the configuration is not valid.',
    ],
    [2, 'A host shows what no pin is of, or something has ended. Also: the command line was not understood.'],
    [3, 'A host could not be asked, or no pinset is for one that was named.'],
  ]);
  addExamples(
    command,
    { command: 'tlspin audit -c /etc/tlspin.json', does: 'how all pins stand' },
    { command: 'tlspin audit -c /etc/tlspin.json --json --days 14 > audit.json', does: 'the same, for cron and CI' },
    { command: 'tlspin audit -c /etc/tlspin.json api.bank.example', does: 'also of a host that *.bank.example covers' },
  );
}

function statusOf(findings: readonly AuditFinding[], { unknown }: Targets): number {
  const has = (severity: AuditFinding['severity']) => findings.some((each) => each.severity === severity);
  if (has('wrong')) return 2;
  if (has('unknown') || unknown.length > 0) return 3;
  return has('attention') ? 1 : 0;
}

function documentOf(
  config: string,
  pinsets: readonly CompiledPinset[],
  { notAsked, unknown }: Targets,
  answers: Answers,
  findings: readonly AuditFinding[],
): object {
  const shown = (pinset: CompiledPinset) => answers.shown.filter(({ target }) => target.pinset === pinset);
  return {
    time: new Date().toISOString(),
    config,
    pinsets: pinsets.map((pinset) => ({
      pinset: pinset.name,
      mode: pinset.mode,
      expires: dateOf(pinset.expires),
      hosts: shown(pinset).map(shownFields),
      pins: pinset.pins.map(({ canonical, at, role, expires, notBefore }, index) => ({
        ...{ pin: canonical, at, role, not_before: dateOf(notBefore), expires: dateOf(expires) },
        shown_by: showers(pinset.pins[index]!, shown(pinset)),
      })),
    })),
    findings,
    not_asked: notAsked,
    unknown_hosts: unknown,
  };
}

function shownFields({ target, address, keys, version, chain, pins }: Shown): object {
  const [leaf] = chain;
  const { subject, issuer, notAfter } = leaf === undefined ? NOTHING : describeCertificate(leaf.der);
  return {
    ...{ host: target.host, sni: target.name, dest_ip: address, dest_port: target.port, starttls: target.starttls },
    ...{ keys, version: tlsVersionName(version), subject, issuer, not_after: notAfter },
    key: leaf === undefined ? null : keyOf(leaf),
    matched: pins.map(({ canonical }) => canonical),
  };
}

function show(
  pinsets: readonly CompiledPinset[],
  { notAsked, unknown }: Targets,
  answers: Answers,
  findings: readonly AuditFinding[],
  out: Output,
): void {
  for (const pinset of pinsets) {
    const shown = answers.shown.filter(({ target }) => target.pinset === pinset);
    out.line(`${out.paint('bold', printable(pinset.name))} (${pinset.mode})`);
    for (const each of pinset.pins.filter(({ list }) => list === undefined)) showPin(each, shown, out);
    for (const { severity, code, text, paste } of findings.filter((each) => each.pinset === pinset.name)) {
      out.line(`  ${out.paint(STYLES[severity], code)}  ${printable(text)}`);
      if (paste !== undefined) out.line(`    where that key is genuine, into "pins":\n    ${printable(paste)}`);
    }
    const left = notAsked.filter((each) => each.pinset === pinset.name).map(({ what }) => what);
    if (left.length > 0) out.line(`  ${out.paint('faint', `not asked: ${printable(left.join(', '))}`)}`);
    out.line();
  }
  for (const host of unknown) out.line(`${printable(host)}: no pinset is for it`);
  const count = (severity: AuditFinding['severity']) => findings.filter((each) => each.severity === severity).length;
  const asked = new Set([...answers.shown, ...answers.failures].map(({ target }) => `${target.host}:${target.port}`));
  out.line(
    `asked ${asked.size} ${asked.size === 1 ? 'host' : 'hosts'}: ${count('wrong')} wrong, ${count('unknown')} not known, ${count('attention')} to attend to`,
  );
}

function showPin(pin: CompiledPin, shown: readonly Shown[], out: Output): void {
  const hosts = showers(pin, shown);
  const role = pin.role === 'backup' ? ', backup' : '';
  const until = pin.expires === null ? '' : `, until ${dateOf(pin.expires)}`;
  const usage = hosts.length === 0 ? out.paint('faint', 'not shown') : out.paint('good', `shown by ${few(hosts)}`);
  out.line(`  ${pin.canonical.slice(0, WIDTH)} (${pin.at}${role}${until}): ${usage}`);
}

/** The hosts, each with the kinds of key and the addresses where it is shown. */
function showers(pin: CompiledPin, shown: readonly Shown[]): string[] {
  return shown
    .filter(({ pins }) => pins.includes(pin))
    .map(({ target, address, keys }) => `${target.host} (${hostPort(address, target.port)}, ${keys.toUpperCase()})`);
}

function few(all: readonly string[]): string {
  const shown = all.slice(0, SHOWN).map(printable).join(', ');
  return all.length <= SHOWN ? shown : `${shown} and ${all.length - SHOWN} more`;
}

function dateOf(at: number | null): string | null {
  return at === null || !Number.isFinite(at) ? null : new Date(at).toISOString();
}

function days(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('expected a number of days.');
  return Number(text);
}

const DAY_MS = 86_400_000;
const NOTHING = { subject: null, issuer: null, notAfter: null };
const STYLES: Readonly<Record<AuditFinding['severity'], Style>> = { wrong: 'bad', unknown: 'warn', attention: 'warn' };
const WIDTH = 90;
const SHOWN = 4;
