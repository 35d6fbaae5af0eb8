/** Sets of ports, as ranges in order and without overlaps. Knows no rules. */
import type { Ports } from './plan.ts';

export function intersection(a: Ports, b: Ports): Ports {
  const parts = a.flatMap(([from, to]) =>
    b.map(([first, last]) => [Math.max(from, first), Math.min(to, last)] as const).filter(([f, t]) => f <= t),
  );
  return union(parts, []);
}

export function overlap(a: Ports, b: Ports): boolean {
  for (const [from, to] of a) for (const [first, last] of b) if (from <= last && first <= to) return true;
  return false;
}

export function without(a: Ports, b: Ports): Ports {
  return b.reduce(
    (left: Ports, [first, last]) =>
      left.flatMap(([from, to]) =>
        (
          [
            [from, Math.min(to, first - 1)],
            [Math.max(from, last + 1), to],
          ] as const
        ).filter(([f, t]) => f <= t),
      ),
    a,
  );
}

export function union(a: Ports, b: Ports): Ports {
  const merged: [number, number][] = [];
  for (const [from, to] of [...a, ...b].sort((x, y) => x[0] - y[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

export function portsText(ports: Ports): string {
  return few(ports.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)));
}

/** The first of them, and how many more there are. */
export function few(words: readonly string[]): string {
  const shown = words.slice(0, SHOWN).join(', ');
  return words.length <= SHOWN ? shown : `${shown} and ${words.length - SHOWN} more`;
}

export const ALL_PORTS: Ports = [[0, 65_535]];
const SHOWN = 4;
