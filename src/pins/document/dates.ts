/** Dates and durations of a configuration. */

/** Milliseconds since the epoch; a date alone begins at 00:00 UTC. Undefined for anything but RFC 3339. */
export function parseDate(text: string): number | undefined {
  const [, year, month, day, time, zone] = RFC3339.exec(text.trim()) ?? [];
  if (year === undefined || (time !== undefined && zone === undefined)) return undefined;
  const at = Date.parse(`${year}-${month}-${day}T${time ?? '00:00:00'}${(zone ?? 'Z').toUpperCase()}`);
  if (Number.isNaN(at)) return undefined;
  // Date.parse takes 31 February for 3 March.
  const named = new Date(`${year}-${month}-${day}T00:00:00Z`);
  return named.getUTCDate() === Number(day) ? at : undefined;
}

/** Milliseconds of `90s`, `30m`, `36h`, `7d`, `2w`. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})\s*([smhdw])$/.exec(text.trim()) ?? [];
  return count === undefined ? undefined : Number(count) * UNITS[unit as keyof typeof UNITS];
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)([Zz]|[+-]\d\d:\d\d)?)?$/;
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
