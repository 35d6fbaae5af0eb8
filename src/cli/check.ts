/** `tlspin check`: says everything that is wrong with a configuration file, and nothing else. */
import type { Command } from 'commander';

import { loadPolicy } from '../pins/load.ts';
import type { LoadResult } from '../pins/load.ts';
import type { Message, Severity } from '../pins/document/message.ts';
import type { CompiledMatch, CompiledPinset, Policy } from '../pins/policy.ts';
import { configurationJsonSchema } from '../pins/document/schema.ts';
import { addressText } from '../report/eve.ts';
import { addExamples } from './help.ts';
import { Output, type Style } from './output.ts';

export function registerCheck(program: Command): void {
  const check = program
    .command('check')
    .summary('validate a configuration file')
    .description('Validate a configuration file: exit status 0, or 1 with file:line:column messages.')
    .argument('[file]', 'configuration file')
    .option('--json', 'print what was found as one JSON document')
    .option('--schema', 'print the JSON Schema of configuration files, for editors')
    .action((file: string | undefined, options: { json?: true; schema?: true }, command: Command) => {
      const out = new Output(process.stdout);
      if (options.schema === true) {
        out.json(configurationJsonSchema());
      } else if (file === undefined) {
        command.error("error: missing argument 'file': name a configuration file, or ask for --schema", {
          exitCode: 2,
        });
      } else {
        const result = loadPolicy(file);
        if (options.json === true) out.json(reportOf(file, result));
        else show(file, result, out, new Output(process.stderr));
        process.exitCode = 'policy' in result ? 0 : 1;
      }
    });
  addExamples(
    check,
    { command: 'tlspin check /etc/tlspin.json', does: 'all mistakes, each with its place' },
    { command: 'tlspin check --schema > tlspin.schema.json', does: 'what an editor needs to help with the file' },
  );
}

function messagesOf(result: LoadResult): readonly Message[] {
  return [...('errors' in result ? result.errors : []), ...result.warnings, ...result.notes];
}

/** Messages go to standard error, so that the summary alone can be kept. */
function show(file: string, result: LoadResult, out: Output, err: Output): void {
  for (const { severity, file: where, line, column, text } of messagesOf(result)) {
    const place = err.paint('bold', `${where}:${line}:${column}:`);
    err.line(`${place} ${err.paint(STYLES[severity], `${severity}:`)} ${text}`);
  }
  if (!('policy' in result)) return;
  if (out.isTerminal) showPinsets(result.policy, out);
  out.line(`${file}: ${out.paint('good', 'valid')}: ${describePolicy(result.policy)}`);
}

function showPinsets(policy: Policy, out: Output): void {
  if (policy.pinsets.length === 0) return;
  const rows = policy.pinsets.map((pinset) => {
    const { name, mode, pins, deny, situations } = pinset;
    return [
      name,
      mode,
      matchText(pinset.match),
      `${pins.length}`,
      `${deny.length}`,
      pins.length ? situations.tls13 : '',
    ];
  });
  out.table(['PINSET', 'MODE', 'FOR', 'PINS', 'DENY', 'TLS 1.3'], rows);
  out.line();
}

function matchText(match: CompiledMatch): string {
  const { hosts, exempt, ports, clients } = match;
  const addresses = match.addresses.map(({ address, prefix }) => `${addressText(address)}/${prefix}`);
  const servers = [...hosts, ...exempt.map((host) => `!${host}`), ...addresses];
  return [
    servers.length === 0 ? 'all others' : few(servers),
    ...(ports.length === 0
      ? []
      : [`ports ${few(ports.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)))}`]),
    ...(clients.length === 0 ? [] : [`${clients.length} client networks`]),
  ].join(', ');
}

function few(words: readonly string[]): string {
  const shown = words.slice(0, SHOWN).join(' ');
  return words.length <= SHOWN ? shown : `${shown} and ${words.length - SHOWN} more`;
}

/** For programs: every message, and what is in the file where it is valid. */
export function reportOf(file: string, result: LoadResult) {
  const messages = messagesOf(result);
  if (!('policy' in result)) return { file, valid: false, messages };
  const { hash, pinsets, lists, rules } = result.policy;
  return {
    file,
    valid: true,
    messages,
    config: {
      hash,
      pinsets: pinsets.map(pinsetReport),
      lists: lists.map(({ id, writable, entries }) => ({ id, writable, entries: entries.length })),
      rules: rules.length,
    },
  };
}

function pinsetReport({ name, mode, match, pins, deny }: CompiledPinset) {
  return { name, mode, for: matchText(match), pins: pins.length, deny: deny.length };
}

function describePolicy(policy: Policy): string {
  const pins = policy.pinsets.reduce((sum, pinset) => sum + pinset.pins.length + pinset.deny.length, 0);
  return [
    count(policy.pinsets.length, 'pinset'),
    count(pins, 'pin'),
    ...(policy.lists.length > 0 ? [count(policy.lists.length, 'list')] : []),
    ...(policy.rules.length > 0 ? [count(policy.rules.length, 'rule')] : []),
    policy.hash,
  ].join(', ');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

const STYLES: Readonly<Record<Severity, Style>> = { error: 'bad', warning: 'warn', note: 'note' };
/** Hosts, addresses or ports of one pinset that a table names. */
const SHOWN = 3;
