/** Selection as the rules are written, one pinset after another: what the indexes are compared with. */
import type { AddressRange, CompiledMatch, CompiledPinset } from '../../src/pins/policy.ts';
import type { FlowSubject } from '../../src/pins/match/snapshot.ts';

export function naiveSelect(pinsets: readonly CompiledPinset[], subject: FlowSubject, name: string | null) {
  const requiring = pinsets.filter((p) => p.pins.length > 0 || p.mode === 'learn');
  const address = mostSpecific(requiring, (p) =>
    specificity(p.match, p.match.addresses.map(addressRank(subject)), subject),
  );
  const isExempt = (p: CompiledPinset) => p.match.exempt.some((pattern) => hostRank(name)(pattern) >= 0);
  const host = mostSpecific(requiring, (p) =>
    specificity(p.match, isExempt(p) ? [] : p.match.hosts.map(hostRank(name)), subject),
  );
  const fallback = mostSpecific(requiring, (p) =>
    specificity(p.match, p.match.hosts.length + p.match.addresses.length === 0 ? [0] : [], subject),
  );
  if (address === 'ambiguous' || host === 'ambiguous' || fallback === 'ambiguous') return 'ambiguous';
  const found = [address, host].filter((p) => p !== undefined);
  return {
    require: found.length > 0 ? found : [fallback].filter((p) => p !== undefined),
    deny: pinsets.filter((p) => !requiring.includes(p) && matchFits(p.match, subject, name)),
  };
}

/** `'any name'`: a name that fits every pattern. */
export function matchFits(m: CompiledMatch, subject: FlowSubject, name: string | null): boolean {
  if (name !== 'any name' && m.hosts.length > 0 && !m.hosts.some((h) => hostRank(name)(h) >= 0)) return false;
  if (name !== 'any name' && m.exempt.some((h) => hostRank(name)(h) >= 0)) return false;
  if (m.addresses.length > 0 && !m.addresses.some((a) => addressRank(subject)(a) >= 0)) return false;
  return portRank(m, subject) >= 0 && clientRank(m, subject) >= 0;
}

/** Ranks by place, port and client; undefined where the match does not fit. */
function specificity(m: CompiledMatch, places: number[], subject: FlowSubject): number[] | undefined {
  const rank = [Math.max(-1, ...places), portRank(m, subject), clientRank(m, subject)];
  return rank.some((r) => r < 0) ? undefined : rank;
}

function mostSpecific(pinsets: readonly CompiledPinset[], rankOf: (p: CompiledPinset) => number[] | undefined) {
  const ranked = pinsets.flatMap((p) => {
    const rank = rankOf(p);
    return rank === undefined ? [] : [{ p, key: rank.map((r) => String(r).padStart(8, '0')).join() }];
  });
  ranked.sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
  return ranked.length > 1 && ranked[0]!.key === ranked[1]!.key ? 'ambiguous' : ranked[0]?.p;
}

const hostRank = (name: string | null) => (pattern: string) => {
  if (name === null) return -1;
  const wild = pattern.match(/^(\*\*?)\.(.*)$/);
  if (wild === null) return name === pattern ? 10_000 : -1;
  const before = name.endsWith(`.${wild[2]}`) ? name.slice(0, -wild[2]!.length - 1) : name === wild[2] ? '' : undefined;
  if (before === undefined) return -1;
  if (wild[1] === '**') return wild[2]!.length;
  return before !== '' && !before.includes('.') ? 9_999 : -1;
};

const addressRank = (subject: FlowSubject) => (r: AddressRange) => prefixRank(subject.server.address, r);

function portRank(m: CompiledMatch, subject: FlowSubject): number {
  if (m.ports.length === 0) return 0;
  const fitting = m.ports.filter(([a, b]) => a <= subject.server.port && subject.server.port <= b);
  return Math.max(-1, ...fitting.map(([a, b]) => 70_000 - (b - a)));
}

function clientRank(m: CompiledMatch, subject: FlowSubject): number {
  if (m.clients.length === 0) return 0;
  const fitting = m.clients.map((r) => prefixRank(subject.client.address, r)).filter((rank) => rank >= 0);
  return fitting.length === 0 ? -1 : 1 + Math.max(...fitting);
}

function prefixRank(address: Uint8Array, r: AddressRange): number {
  const plain = address.length === 16 ? address.subarray(12) : address;
  const bits = (octets: Uint8Array) => [...octets].map((o) => o.toString(2).padStart(8, '0')).join('');
  return bits(plain).startsWith(bits(r.address).slice(0, r.prefix)) ? r.prefix : -1;
}
