/**
 * One iptables rule as words: what it matches, and its target with the target's own options. Takes commands as people
 * type them and lines as iptables-save prints them. Knows the matches that any rule may have, and no meaning.
 */

export interface IptablesRule {
  readonly chain: string;
  /** Option names as written, without dashes, each with its value and whether `!` stood before it. */
  readonly matches: readonly IptablesMatch[];
  readonly target: string;
  readonly targetOptions: ReadonlyMap<string, string>;
}

export interface IptablesMatch {
  readonly name: string;
  readonly value: string;
  readonly isInverted: boolean;
}

/** Undefined for what adds no rule. */
export function readRule(line: string): IptablesRule | undefined {
  const words = wordsOf(line);
  let chain = '';
  let target = '';
  const matches: IptablesMatch[] = [];
  const targetOptions = new Map<string, string>();
  for (let at = 0, isInverted = false; at < words.length; at++) {
    const word = words[at]!;
    if (word === '!') {
      isInverted = true;
      continue;
    }
    if (!word.startsWith('-')) continue;
    const name = word.replace(/^--?/, '');
    // `--pubkey ! x`, as older versions wrote it.
    if (words[at + 1] === '!' && words[at + 2]?.startsWith('-') === false) {
      isInverted = true;
      at++;
    }
    const next = words[at + 1];
    const hasValue = next !== undefined && (!next.startsWith('-') || /^-\d/.test(next)) && next !== '!';
    const value = hasValue ? words[++at]! : '';
    if (['A', 'append', 'I', 'insert', 'R', 'replace'].includes(name)) chain = value;
    else if (name === 'j' || name === 'jump' || name === 'g' || name === 'goto') target = value;
    else if (target !== '') targetOptions.set(name, value);
    else matches.push({ name: LONG_NAMES[name] ?? name, value, isInverted });
    isInverted = false;
  }
  return chain === '' ? undefined : { chain, matches, target, targetOptions };
}

/** As a shell would take them, as far as quotation marks go. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare!,
  );
}

const LONG_NAMES: Readonly<Record<string, string>> = {
  s: 'source',
  src: 'source',
  d: 'destination',
  dst: 'destination',
  p: 'protocol',
  proto: 'protocol',
  m: 'match',
  i: 'in-interface',
  o: 'out-interface',
  t: 'table',
  sport: 'source-port',
  sports: 'source-ports',
  dport: 'destination-port',
  dports: 'destination-ports',
};
