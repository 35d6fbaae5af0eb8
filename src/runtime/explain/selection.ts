/**
 * Why a flow's pinsets were chosen and the others were not, in words: the same questions that selection asks, asked of
 * one pinset after the other. What was chosen is the snapshot's to say, never this file's.
 */
import { inRange, plainAddress, plainRange } from '../../pins/address.ts';
import { HostPatterns, parentOf } from '../../pins/match/host-patterns.ts';
import { normalName } from '../../pins/match/match-index.ts';
import type { CompiledMatch, CompiledPinset } from '../../pins/policy.ts';
import type { FlowSubject, Selection } from '../../pins/match/snapshot.ts';
import { addressText } from '../../report/eve.ts';

export interface Candidate {
  readonly pinset: string;
  /** `address`, `host`, `fallback`: must pass; `deny`: its deny pins hold; null: it has no say. */
  readonly chosen_as: 'address' | 'host' | 'fallback' | 'deny' | null;
  readonly why: string;
}

/** `names`: the effective one, null where the client gave none, and the one that a proxy was asked for, if that is another. */
export function candidatesOf(
  pinsets: readonly CompiledPinset[],
  selection: Selection,
  subject: FlowSubject,
  names: readonly [string | null, string | null],
): Candidate[] {
  const [name, fronted] = names.map((each) => (each === null ? null : normalName(each))) as [
    string | null,
    string | null,
  ];
  return pinsets.map((pinset) => {
    const isOfFronted = fronted !== null && misfitOf(pinset.match, subject, name) !== undefined;
    return candidateOf(pinset, selection, subject, isOfFronted ? fronted : name);
  });
}

function candidateOf(
  pinset: CompiledPinset,
  selection: Selection,
  subject: FlowSubject,
  name: string | null,
): Candidate {
  const { match } = pinset;
  const misfit = misfitOf(match, subject, name);
  const made = (chosenAs: Candidate['chosen_as'], why: string): Candidate => ({
    pinset: pinset.name,
    chosen_as: chosenAs,
    why,
  });
  // A pinset that has learned is another one for each host, at the same place of the file.
  const isAmong = (chosen: readonly CompiledPinset[]) => chosen.some(({ index }) => index === pinset.index);
  if (isAmong(selection.deny)) return made('deny', `a deny list; ${fitOf(match, subject, name)}`);
  if (isAmong(selection.require)) {
    if (match.addresses.length > 0) return made('address', fitOf(match, subject, name));
    return match.hosts.length > 0
      ? made('host', fitOf(match, subject, name))
      : made('fallback', 'no other pinset selects the flow');
  }
  if (misfit !== undefined) return made(null, misfit);
  const isFallback = match.hosts.length + match.addresses.length === 0;
  if (isFallback) return made(null, 'it is for flows that no other pinset selects');
  const sort = (other: CompiledPinset) =>
    (match.hosts.length > 0 ? other.match.hosts : other.match.addresses).length > 0;
  const rival = selection.require.find(sort);
  return made(
    null,
    rival === undefined
      ? 'it was not selected'
      : `"${rival.name}" is more specific: ${fitOf(rival.match, subject, name)}`,
  );
}

/** What of a match does not fit the flow; undefined when all does. */
function misfitOf(match: CompiledMatch, subject: FlowSubject, name: string | null): string | undefined {
  const { server, client } = subject;
  if (match.ports.length > 0 && !match.ports.some(([from, to]) => from <= server.port && server.port <= to)) {
    return `port ${server.port} is not among its ports (${match.ports.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(', ')})`;
  }
  if (match.clients.length > 0 && networkOf(match.clients, client.address) === undefined) {
    return `its clients do not contain ${addressText(client.address)}`;
  }
  if (match.addresses.length > 0 && networkOf(match.addresses, server.address) === undefined) {
    return `its addresses do not contain ${addressText(server.address)}`;
  }
  if (match.hosts.length > 0 && name === null) return 'it goes by host names, and the client gave none';
  if (match.hosts.length > 0 && patternOf(match, name!) === undefined) return `its hosts do not cover ${name}`;
  if (match.hosts.length > 0 && new HostPatterns(match.exempt).cover(name!)) return `its hosts exempt ${name}`;
  return undefined;
}

/** What of a match fits it. */
function fitOf(match: CompiledMatch, { server }: FlowSubject, name: string | null): string {
  const network = networkOf(match.addresses, server.address);
  const pattern = name === null ? undefined : patternOf(match, name);
  if (network !== undefined) return `${network} contains ${addressText(server.address)}`;
  if (pattern !== undefined) return pattern === name ? `it names ${name}` : `"${pattern}" covers ${name}`;
  return 'it is for every server';
}

function networkOf(ranges: CompiledMatch['addresses'], address: Uint8Array): string | undefined {
  const plain = plainAddress(address);
  const range = ranges.filter((one) => inRange(plain, plainRange(one))).sort((a, b) => b.prefix - a.prefix)[0];
  return range === undefined ? undefined : `${addressText(range.address)}/${range.prefix}`;
}

/** The most specific pattern that covers the name. */
function patternOf({ hosts }: CompiledMatch, name: string): string | undefined {
  const one = `*.${parentOf(name)}`;
  const any = hosts
    .filter((host) => host.startsWith('**.') && `.${name}`.endsWith(host.slice(2)))
    .sort((a, b) => b.length - a.length)[0];
  return hosts.find((host) => host === name) ?? hosts.find((host) => host === one) ?? any;
}
