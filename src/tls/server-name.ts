/**
 * The name by which pinsets are selected and certificates checked, out of what a client sent as server_name (RFC 6066 §3).
 * What no host is called selects nothing; what a lenient server may read as a host's name counts as that name. Knows no
 * pinsets.
 */
import { domainToASCII } from 'node:url';

/** `serverName`: as sent, one character an octet. An address literal is no name. */
export function effectiveName(serverName: string | null): string | null {
  if (serverName === null) return null;
  const name = HOST_NAME.test(serverName) ? serverName : readLeniently(serverName);
  return HOST_NAME.test(name) && !IPV4.test(name) ? name : null;
}

/**
 * Up to a NUL or a blank inside of it, without blanks and dots around it, without a port; in any script. What is then far
 * longer than any name is none: in other scripts its ASCII takes more time than it has octets.
 */
function readLeniently(serverName: string): string {
  const [beforeNul = ''] = Buffer.from(serverName, 'latin1').toString('utf8').split('\0');
  const [word = ''] = beforeNul.trim().split(/\s/);
  const name = withoutDots(word.replace(/:\d*$/, ''));
  return name.length > MAX_SERVER_NAME ? '' : domainToASCII(name);
}

/** Around it. An expression that looks for the last ones tries at each of the others. */
function withoutDots(word: string): string {
  let [start, end] = [0, word.length];
  while (word[start] === '.') start++;
  while (end > start && word[end - 1] === '.') end--;
  return word.slice(start, end);
}

/** Octets, many more than the 253 of a name (RFC 1035 §2.3.4): beyond, nobody can say what a server makes of it. */
export const MAX_SERVER_NAME = 1_024;

/** Letters, digits, hyphens and the underscores that are met in practice; at most 253 octets and a final dot. */
const HOST_NAME = /^(?=.{1,253}\.?$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/i;
const IPV4 = /^[\d.]+$/;
