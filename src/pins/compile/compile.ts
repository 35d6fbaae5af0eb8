/**
 * Makes the plain policy that packet threads work with out of a configuration document. Everything that is wrong is
 * reported where it is; nothing stops at the first error, and a policy with errors is not used.
 */
import { compileConnmark, compileVerdict } from './connmark.ts';
import type { TakenBits } from './connmark.ts';
import { compileMatch, compileNames, compilePorts } from './match.ts';
import { compileDates, compilePins, emptyListsPin, unknownList } from './pins.ts';
import type { PinContext } from './pins.ts';
import { compileFleet, reportCorroborated, reportSharedLists, reportWitnesses } from './fleet.ts';
import { compileLog } from './log.ts';
import { compileMetrics } from './metrics.ts';
import { compilePair } from './pair.ts';
import { compileSignedPins } from './signed-pins.ts';
import { compileLearn, reportLearning } from './learn.ts';
import { compileKeylog, compileProbe, holdTimeFor, reportMissingKeylog } from './probe.ts';
import { compileSituations, situationDefaults } from './situations.ts';
import type { ReferredFiles } from '../document/files.ts';
import { parseKey } from '../document/key-string.ts';
import { LIMIT_DEFAULTS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { compileList } from '../lists/lists.ts';
import type { Path, Reporter } from '../document/message.ts';
import type { CompiledPinset, CompiledRule, CompiledVerdict, Policy, Situations } from '../policy.ts';
import type { Configuration } from '../document/schema.ts';
import type { RuleSource, RulesSource } from '../document/schema/lists.ts';
import type { PinsetSource } from '../document/schema/pinset.ts';
import { elements } from '../document/elements.ts';
import { ambiguities } from './specificity.ts';

/** `hash` is left empty: it is of the files, not of the document. */
export function compile(
  source: Configuration,
  { files, filesAt }: CompiledFrom,
  nowMs: number,
  report: Reporter,
): Omit<Policy, 'hash'> {
  const lists = new Map(
    Object.entries(source.lists ?? {}).map(([id, list]) => [
      id,
      compileList(id, list, ['lists', id], filesAt(['lists', id]), nowMs, report),
    ]),
  );
  const limits = compileLimits(source);
  const connmark = compileConnmark(source.connmark, ['connmark'], report);
  const probe = compileProbe(source.probe, limits, connmark, report);
  const keylog = compileKeylog(source.keylog, limits, files, report);
  reportMissingKeylog(source, report);
  reportLearning(source, report);
  reportSharedLists(source, report);
  reportWitnesses(source, report);
  reportCorroborated(source, report);
  const pinned = compileSituations(source.pinned, situationDefaults('pinned'), ['pinned'], files, report);
  const unpinned = compileSituations(source.unpinned, situationDefaults('unpinned'), ['unpinned'], files, report);
  const taken = { engine: (connmark.mask | connmark.told) >>> 0, probe: probe.mark };
  const onMismatch = compileVerdict(source.onMismatch, TLS_ALERT, ['onMismatch'], taken, report);
  const defaults: Defaults = { lists, files, report, taken, pinned, onMismatch };

  const pinsets = [...elements(source.pinsets)].map(([index, pinset]) =>
    compilePinset(pinset, index, { ...defaults, files: filesAt(['pinsets', index]) }),
  );
  const sslpin = sslpinRules(source.rules);
  const rules = [...elements(sslpin.list)].flatMap(([index, rule]) => compileRule(rule, index, sslpin.path, defaults));
  reportRepeatedNames(source.pinsets, report);
  reportAmbiguities(pinsets, report);

  return {
    pinsets,
    rules,
    lists: [...lists.values()],
    pinned,
    unpinned,
    onMismatch,
    connmark,
    limits,
    probe,
    keylog,
    learn: compileLearn(source.learn, files),
    ports: queuedPorts(source, pinsets, rules, report),
    log: compileLog(source.log, files, report),
    control: {
      socket: source.control?.socket === undefined ? null : files.path(source.control.socket),
      mode: fileMode(source, report),
    },
    ...compileMetrics(source.metrics, files, report),
    ...compileSignedPins(source.pins, files, report),
    ...compileFleet(source.fleet, files, report),
    ...compilePair(source, report),
    ...keptRules(source.rules),
    queues: queueRange(source, report),
    failOpen: source.failOpen ?? false,
    allowOffload: source.allowOffload ?? false,
    user: source.user ?? null,
  };
}

export interface CompiledFrom {
  readonly files: ReferredFiles;
  /** Those of the file that a pinset or a list is in. */
  readonly filesAt: (path: Path) => ReferredFiles;
}

interface Defaults extends PinContext {
  readonly taken: TakenBits;
  readonly pinned: Situations;
  readonly onMismatch: CompiledVerdict;
}

function compilePinset(source: PinsetSource, index: number, defaults: Defaults): CompiledPinset {
  const { report, files, taken } = defaults;
  const path: Path = ['pinsets', index];
  const verdict = (key: 'onMatch' | 'onMismatch' | 'onDeny', fallback: CompiledVerdict) =>
    compileVerdict(source[key], fallback, [...path, key], taken, report);
  const pins = compilePins(source.pins, 'pins', [...path, 'pins'], defaults);
  if (source.pins !== undefined && pins.length === 0) pins.push(emptyListsPin(source.pins));
  const onMismatch = verdict('onMismatch', defaults.onMismatch);
  if (source.match?.hosts !== undefined) reportUnaskable(source, path, report);
  return {
    name: source.name ?? '',
    index,
    match: compileMatch(source.match, [...path, 'match'], report),
    pins,
    deny: compilePins(source.deny, 'deny', [...path, 'deny'], defaults),
    names: compileNames(source.names, [...path, 'names'], report),
    mode: source.mode ?? 'enforce',
    ...(source.then === undefined ? {} : { then: source.then }),
    expires: compileDates({ expires: source.expires }, path, report).expires,
    afterExpiry: source.afterExpiry ?? 'report-only',
    onMatch: verdict('onMatch', ACCEPT),
    onMismatch,
    onDeny: verdict('onDeny', onMismatch),
    situations: compileSituations(source, defaults.pinned, path, files, report),
  };
}

/** What is asked of a flow before it says a name is never asked of those that are selected by one. */
function reportUnaskable(source: PinsetSource, path: Path, report: Reporter): void {
  for (const key of ['notTls', 'midstream'] as const) {
    if (source[key] === undefined) continue;
    report.error(
      [...path, key],
      `"${key}" is asked where no name is known, so never of a pinset of hosts: write it into "pinned", where it holds for all of them`,
    );
  }
}

function sslpinRules(source: RulesSource | undefined): {
  readonly list: RuleSource[] | undefined;
  readonly path: Path;
} {
  if (source === undefined || Array.isArray(source)) return { list: source, path: ['rules'] };
  return { list: source.list, path: ['rules', 'list'] };
}

function keptRules(source: RulesSource | undefined): Pick<Policy, 'keptRules'> {
  if (source === undefined || Array.isArray(source) || source.keep !== true) return {};
  const { hook = 'forward', format = 'iptables', quic = true, queueUdp = false, queueBypass = false } = source;
  return { keptRules: { hooks: hook === 'both' ? ['forward', 'local'] : [hook], format, quic, queueUdp, queueBypass } };
}

function compileRule(source: RuleSource, index: number, of: Path, defaults: Defaults): CompiledRule[] {
  const { report, taken } = defaults;
  const path: Path = [...of, index];
  const match = compileMatch(source.match, [...path, 'match'], report);
  const verdict = compileVerdict(source.verdict, TLS_ALERT, [...path, 'verdict'], taken, report);
  const test = compileTest(source, path, defaults);
  return test === undefined ? [] : [{ index, match, test, verdict }];
}

function compileTest(source: RuleSource, path: Path, { lists, report }: Defaults): CompiledRule['test'] | undefined {
  if ((source.fpl === undefined) === (source.pubkey === undefined)) {
    report.error(path, 'a rule has either "fpl" or "pubkey"');
    return undefined;
  }
  const [, inversion, operand] = /^\s*(!?)\s*(.*)$/s.exec(String(source.fpl ?? source.pubkey))!;
  const inverted = inversion === '!';
  if (source.fpl !== undefined) {
    const list = operand!.trim().replace(/^@/, '');
    if (!lists.has(list)) report.error([...path, 'fpl'], unknownList(list, lists));
    return { kind: 'fpl', list, inverted };
  }
  const [, algorithm, rest] = /^([\w-]+)((?:\(.*?\))?:.*)$/s.exec(operand!) ?? [];
  if (algorithm === undefined || !KEY_ALGORITHMS.includes(algorithm)) {
    report.error(
      [...path, 'pubkey'],
      `"${source.pubkey}" is not a key such as "rsa:<hex>", "ec:<hex>" or "!dsa:<hex>"`,
    );
    return undefined;
  }
  const key = parseKey(algorithm, rest!);
  if ('key' in key) return { kind: 'pubkey', key: key.key, inverted };
  report.error(
    [...path, 'pubkey'],
    'error' in key
      ? key.error
      : 'a rule compares the concrete DSA key: write dsa:<hex of its INTEGER>, or pin the whole key',
  );
  return undefined;
}

function reportRepeatedNames(pinsets: readonly PinsetSource[] | undefined, report: Reporter): void {
  const seen = new Map<string, Path>();
  for (const [index, { name }] of elements(pinsets)) {
    const path: Path = ['pinsets', index, 'name'];
    if (name === undefined) continue;
    const first = seen.get(name);
    if (first === undefined) seen.set(name, path);
    else report.error(path, `"${name}" is the name of the pinset at ${report.place(first)} already`);
  }
}

function reportAmbiguities(pinsets: readonly CompiledPinset[], report: Reporter): void {
  // Where hosts or ports could not be read, pinsets would seem to be fallbacks.
  if (report.errorCount > 0) return;
  for (const { first, second, place, port } of ambiguities(pinsets)) {
    const what = place === null ? 'both are fallbacks' : `both name ${place}`;
    report.error(
      ['pinsets', second.index, 'match'],
      `"${second.name}" is as specific as "${first.name}" at ${report.place(['pinsets', first.index])} (${what}, for port ${port}): merge them, or tell them apart by ports or clients`,
    );
  }
}

/** Where nothing else is said, what waits for a probe waits as long as that may take, and a handshake as long as what waits. */
function compileLimits(source: Configuration): Limits {
  const said = Object.entries(source.limits ?? {}).filter(([, value]) => value !== undefined);
  const given = Object.fromEntries(said) as Partial<Limits>;
  const { holdTime = Math.max(LIMIT_DEFAULTS.holdTime, holdTimeFor(source.probe?.timeout ?? 0)) } = given;
  const handshakeTimeout = Math.max(LIMIT_DEFAULTS.handshakeTimeout, holdTime);
  return { ...LIMIT_DEFAULTS, handshakeTimeout, ...given, holdTime };
}

/** The configured ports and those that pinsets and rules name, joined where they touch. */
function queuedPorts(
  source: Configuration,
  pinsets: readonly CompiledPinset[],
  rules: readonly CompiledRule[],
  report: Reporter,
): (readonly [number, number])[] {
  const ports = source.ports === undefined ? DEFAULT_PORTS : compilePorts(source.ports, ['ports'], report);
  const all = [...ports, ...[...pinsets, ...rules].flatMap(({ match }) => match.ports)];
  const joined: [number, number][] = [];
  for (const [from, to] of all.sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

function queueRange(source: Configuration, report: Reporter): readonly [number, number] {
  const [, first, last] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(String(source.queues ?? 0)) ?? [];
  const range = [Number(first), Number(last ?? first)] as const;
  if (range[0] <= range[1] && range[1] <= 65_535) return range;
  report.error(['queues'], `"${source.queues}" is not a queue number or a range such as "0:3"`);
  return [0, 0];
}

function fileMode(source: Configuration, report: Reporter): number {
  const mode = source.control?.mode ?? '0600';
  if (/^0?[0-7]{3}$/.test(mode)) return Number.parseInt(mode, 8);
  report.error(['control', 'mode'], `"${mode}" is not a mode in octal such as "0660"`);
  return 0o600;
}

const ACCEPT: CompiledVerdict = { action: 'accept', connmark: null };
const TLS_ALERT: CompiledVerdict = { action: 'tls-alert', connmark: null };
const DEFAULT_PORTS: readonly (readonly [number, number])[] = [[443, 443]];
const KEY_ALGORITHMS = ['rsa', 'rsa-pss', 'ec', 'dsa', 'ed25519', 'ed448'];
