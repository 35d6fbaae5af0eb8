/**
 * The rules of both kernel modules called xt_sslpin (`--fpl` of 2.0, `--pubkey` of 1.0), in scripts or as iptables-save
 * prints them, what scripts write to its lists, and the lists as /sys/kernel/xt_sslpin shows them.
 */
import { basename } from 'node:path';

import { CONNMARK_DEFAULTS } from '../pins/compile/connmark.ts';
import { parseRange } from '../pins/compile/match.ts';
import { parsePin } from '../pins/document/pin-string.ts';
import { PROBE_DEFAULTS } from '../pins/probe.ts';
import { Findings, type Imported, type ImportFile, placeOf } from './found.ts';
import { type IptablesRule, readRule } from './iptables.ts';

export function readXtSslpin(file: ImportFile): Findings {
  const found = new Findings();
  const lists = new Map<string, string[]>();
  let isScript = false;
  for (const { text, line } of commandsOf(file.text)) {
    const command = text.replace(/(^|\s)#.*$/, '').trim();
    if (/-m\s+sslpin\b|--fpl\b|--pubkey\b/.test(command)) {
      isScript = true;
      takeRule(command, file, line, found);
    } else if (/xt_sslpin\/\w+_(add|rm)\b/.test(command)) {
      isScript = true;
      takeListCommand(command, file, line, lists, found);
    }
  }
  if (!isScript) takeDump(file, lists, found);
  for (const [id, entries] of lists) {
    found.lists.push({ id, source: { entries, writable: true }, comments: [`${file.name}: list ${id} of xt_sslpin`] });
  }
  return found;
}

/** Rules name lists that may be in no file: they begin empty. */
export function missingLists({ rules, lists }: Imported): string[] {
  const known = new Set(lists.map(({ id }) => id));
  return [...usedLists(rules)].filter((id) => !known.has(id));
}

/** Lists that no rule and no pinset uses do nothing. */
export function unusedLists({ rules, lists, pinsets }: Imported): string[] {
  const used = usedLists(rules);
  for (const { deny } of pinsets) for (const { pin } of deny ?? []) used.add(pin.replace(/^@/, ''));
  return lists.map(({ id }) => id).filter((id) => !used.has(id));
}

function usedLists(rules: Imported['rules']): Set<string> {
  return new Set(rules.flatMap(({ source: { fpl } }) => (typeof fpl === 'string' ? [fpl.replace(/^!/, '')] : [])));
}

function takeRule(command: string, file: ImportFile, line: number, found: Findings): void {
  const rule = readRule(command);
  if (rule === undefined) return found.note(file, line, `this adds no rule: ${command}`);
  const test = testOf(rule);
  if ('error' in test) return found.note(file, line, `${test.error}: ${command}`);
  const comments = [placeOf(file, line)];
  const match = matchOf(rule, comments);
  if ('error' in match) return found.note(file, line, `${match.error}: ${command}`);
  const verdict = verdictOf(rule, comments);
  if ('error' in verdict) return found.note(file, line, `${verdict.error}: ${command}`);
  if (test.isWhitelist)
    comments.push('true unless the leaf is on the list; xt_sslpin took any certificate of the message');
  const where = Object.keys(match.match).length === 0 ? {} : { match: match.match };
  found.rules.push({ source: { ...test.source, ...where, verdict: verdict.verdict }, comments });
}

function testOf({
  matches,
}: IptablesRule): { source: Record<string, string>; isWhitelist: boolean } | { error: string } {
  const test = matches.find(({ name }) => name === 'fpl' || name === 'pubkey');
  if (test === undefined) return { error: 'a rule without --fpl and --pubkey matches nothing here' };
  const sign = test.isInverted ? '!' : '';
  if (test.name === 'fpl') return { source: { fpl: `${sign}${test.value}` }, isWhitelist: test.isInverted };
  const parsed = parsePin(test.value);
  if ('error' in parsed) return { error: `--pubkey: ${parsed.error}` };
  return { source: { pubkey: `${sign}${test.value}` }, isWhitelist: false };
}

/** The modules look at what servers send: source is the server, unless the rule names the server's port on the way there. */
function matchOf(
  { matches }: IptablesRule,
  comments: string[],
): { match: Record<string, string[]> } | { error: string } {
  const names = new Set(matches.map(({ name }) => name));
  const isToServer =
    !names.has('source-port') &&
    !names.has('source-ports') &&
    (names.has('destination-port') || names.has('destination-ports'));
  if (isToServer) comments.push('a rule for what clients send: its ports and addresses are turned round');
  const [server, client] = isToServer ? ['destination', 'source'] : ['source', 'destination'];
  const match: Record<string, string[]> = {};
  for (const { name, value, isInverted } of matches) {
    const isAddress = name === 'source' || name === 'destination';
    const isPort = name.startsWith(`${server}-port`);
    if ((isAddress || isPort) && isInverted) return { error: `! --${name} cannot be said here` };
    if (isAddress) {
      const ranges = value.split(',').map(networkOf);
      const wrong = ranges.find((range) => 'error' in range);
      if (wrong !== undefined && 'error' in wrong) return { error: wrong.error };
      match[name === server ? 'addresses' : 'clients'] = ranges.map((range) => ('value' in range ? range.value : ''));
    } else if (isPort) {
      match['ports'] = value
        .split(',')
        .map((port) => port.replace(/^:/, '1:').replace(/:$/, ':65535').replace(':', '-'));
    } else if (name.startsWith(`${client}-port`)) {
      comments.push(`--${name} ${value} is the client's: it is left out`);
    } else if (!WITHOUT_MEANING.has(name)) {
      comments.push(`${isInverted ? '! ' : ''}--${name}${value === '' ? '' : ` ${value}`} is left out`);
    }
  }
  return { match };
}

/** With a mask in either notation; bits behind it are what iptables ignores. */
function networkOf(text: string): { value: string } | { error: string } {
  const [address = '', mask] = text.split('/');
  const octets = mask?.split('.').map(Number);
  const bits = octets?.length === 4 ? octets.map((octet) => octet.toString(2).padStart(8, '0')).join('') : undefined;
  if (bits !== undefined && !/^1*0*$/.test(bits)) return { error: `${text}: a mask with gaps cannot be said here` };
  const prefix = bits === undefined ? mask : String(bits.replace(/0/g, '').length);
  const plain = prefix === undefined ? address : `${address}/${prefix}`;
  const parsed = parseRange(plain);
  if ('value' in parsed) return { value: plain };
  const [, meant] = /write (\S+) for the network/.exec(parsed.error) ?? [];
  return meant === undefined ? { error: parsed.error } : { value: meant };
}

function verdictOf(
  { target, targetOptions }: IptablesRule,
  comments: string[],
): { verdict: unknown } | { error: string } {
  switch (target) {
    case 'DROP':
      return { verdict: 'drop' };
    case 'REJECT':
      if (targetOptions.get('reject-with') !== 'tcp-reset') comments.push('REJECT: the reset goes to both sides');
      return { verdict: 'reset' };
    case 'ACCEPT':
      comments.push('accept goes on with the next rule here, and lifts no pinset');
      return { verdict: 'accept' };
    case 'MARK':
      comments.push('MARK: the packet mark has no verdict here; it is the connection that is marked');
      return markOf(targetOptions, comments);
    case 'CONNMARK':
      return markOf(targetOptions, comments);
    case '':
      return { error: 'a rule without a target only counts' };
    default:
      return { error: `the target ${target} has no like here` };
  }
}

function markOf(options: ReadonlyMap<string, string>, comments: string[]): { verdict: unknown } | { error: string } {
  const text = options.get('set-mark') ?? options.get('set-xmark') ?? options.get('or-mark');
  const [value = NaN, mask = 0xffff_ffff] = (text ?? '').split('/').map(Number);
  if (text === undefined || !Number.isInteger(value) || !Number.isInteger(mask)) {
    return { error: 'only --set-mark, --set-xmark and --or-mark can be said here' };
  }
  const wanted = options.has('or-mark') ? value : (mask | value) >>> 0;
  const kept = (wanted & ~OWN_BITS) >>> 0;
  if ((value & OWN_BITS) !== 0) return { error: "the mark has bits that are the engine's own (connmark, probe.mark)" };
  if (kept !== wanted)
    comments.push(`the mask leaves out ${hex((wanted & OWN_BITS) >>> 0)}, which is the engine's own`);
  comments.push('marked and let pass, as it was: if another rule then drops by the mark, write "drop"');
  return { verdict: { verdict: 'accept', connmark: `${hex(value)}/${hex(kept)}` } };
}

/** `echo <sha1> > /sys/kernel/xt_sslpin/0_add`. */
function takeListCommand(
  command: string,
  file: ImportFile,
  line: number,
  lists: Map<string, string[]>,
  found: Findings,
): void {
  const [, id, verb] = /xt_sslpin\/(\w+?)_(add|rm)\b/.exec(command) as unknown as [string, string, string];
  const digests = command.match(/\b[0-9a-f]{40}\b/gi)?.map((digest) => digest.toLowerCase()) ?? [];
  const entries = lists.get(id) ?? [];
  lists.set(id, verb === 'add' ? [...entries, ...digests] : entries.filter((entry) => !digests.includes(entry)));
  if (digests.length === 0) {
    found.note(file, line, `what this ${verb === 'add' ? 'adds to' : 'takes from'} list ${id} is not said: ${command}`);
  }
}

/** One digest a line, or what sha1sum prints. */
function takeDump(file: ImportFile, lists: Map<string, string[]>, found: Findings): void {
  const id = /^(\w+?)(_add|\.\w+)?$/.exec(basename(file.name))?.[1] ?? '0';
  const entries: string[] = [];
  for (const [index, raw] of file.text.split(/\r\n|\n|\r/).entries()) {
    const text = raw.replace(/#.*$/, '').trim();
    const digest = text.replaceAll(':', '').match(/^(?:0x)?([0-9a-f]{40})(?=\s|$)/i)?.[1];
    if (digest !== undefined) entries.push(digest.toLowerCase());
    else if (text !== '') found.note(file, index + 1, `this is no SHA-1 of a certificate: ${text}`);
  }
  if (entries.length > 0) lists.set(id, entries);
}

/** A backslash at the end of a line, or a pipe, continues it. */
function commandsOf(text: string): { text: string; line: number }[] {
  const commands: { text: string; line: number }[] = [];
  let open: { parts: string[]; line: number } | undefined;
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    open ??= { parts: [], line: index + 1 };
    open.parts.push(raw.replace(/\\\s*$/, ' '));
    if (/\\\s*$/.test(raw) || /\|\s*$/.test(raw)) continue;
    commands.push({ text: open.parts.join(' '), line: open.line });
    open = undefined;
  }
  if (open !== undefined) commands.push({ text: open.parts.join(' '), line: open.line });
  return commands;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** What a rule of these modules has anyway, and what bears on no packet's meaning. */
const WITHOUT_MEANING: ReadonlySet<string> = new Set([
  'match',
  'table',
  'protocol',
  'fpl',
  'pubkey',
  'debug',
  'ctstate',
  'state',
  'comment',
  'wait',
  'w',
]);
/** `connmark.mask`, `connmark.told` and `probe.mark`, where the configuration does not say otherwise. */
const OWN_BITS = (CONNMARK_DEFAULTS.mask | CONNMARK_DEFAULTS.told | PROBE_DEFAULTS.mark) >>> 0;
