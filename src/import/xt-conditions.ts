/**
 * The conditions of a rule of xt_sslpin as a `match`: which servers, ports and clients it is for. What cannot be said
 * there is named, one by one. Knows no tests and no targets.
 */
import { parseRange } from '../pins/compile/match.ts';
import type { IptablesRule } from './iptables.ts';

/** The command that the rule is of, which has one family of addresses. */
export type Family = 'iptables' | 'ip6tables';

/** The modules look at what servers send: source is the server, unless the rule names the server's port on the way there. */
export function matchOf(
  { matches }: IptablesRule,
  family: Family | undefined,
  comments: string[],
): { match: Record<string, string[]>; left: string[] } | { error: string } {
  const left: string[] = [];
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
      left.push(`--${name} ${value} is the client's: it is left out`);
    } else if (name === 'protocol') {
      const isTcp = TCP.has(value.toLowerCase()) !== isInverted;
      if (!isTcp) return { error: `a rule for ${isInverted ? 'all but ' : ''}${value} never sees TLS over TCP` };
    } else if (!WITHOUT_MEANING.has(name)) {
      left.push(`${isInverted ? '! ' : ''}--${name}${value === '' ? '' : ` ${value}`} is left out`);
    }
  }
  if (family !== undefined && match['addresses'] === undefined) {
    match['addresses'] = [family === 'iptables' ? '0.0.0.0/0' : '::/0'];
    comments.push(`${family} is for one family: without "addresses" it holds for both`);
  }
  return { match, left };
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

/** What a rule of these modules has anyway, and what bears on no packet's meaning. */
const WITHOUT_MEANING: ReadonlySet<string> = new Set([
  'match',
  'table',
  'fpl',
  'pubkey',
  'debug',
  'ctstate',
  'state',
  'comment',
  'wait',
  'w',
]);
/** What `-p` may say of what carries TLS. */
const TCP: ReadonlySet<string> = new Set(['tcp', '6', 'all', '0']);
