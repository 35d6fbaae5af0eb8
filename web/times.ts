/** Times as the viewer's clock has them, and the name of that clock. Knows no document. */

/** Records of the log have +0000, certificates no zone at all; both are UTC. */
export function millisOf(text: string): number {
  const iso = text.replace(/([+-]\d\d)(\d\d)$/u, '$1:$2');
  return Date.parse(/[+-]\d\d:\d\d$|Z$/u.test(iso) ? iso : `${iso}Z`);
}

/** `Europe/Berlin (CET)`. */
export function zoneName(nowMs: number, zone = ownZone()): string {
  const parts = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeZoneName: 'short' }).formatToParts(nowMs);
  const short = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  return short === '' || short === zone ? zone : `${zone} (${short})`;
}

/** `14:03:07`. */
export function clock(ms: number, zone = ownZone()): string {
  return clockFormat(zone).format(ms);
}

/** `today 14:03`, `yesterday 14:03`, `2026-11-21 14:03`. */
export function dayAndClock(ms: number, nowMs: number, zone = ownZone()): string {
  const [day, today] = [isoDay(ms, zone), isoDay(nowMs, zone)];
  const name = day === today ? 'today' : day === isoDay(nowMs - DAY_MS, zone) ? 'yesterday' : day;
  return `${name} ${clock(ms, zone).slice(0, 5)}`;
}

/** `2026-11-21`, which sorts and copies well. */
export function isoDay(ms: number, zone = ownZone()): string {
  return dayFormat(zone).format(ms);
}

/** `in 3 days`, `12 days ago`, `today`. */
export function daysFrom(ms: number, nowMs: number): string {
  const days = Math.floor((ms - nowMs) / DAY_MS);
  if (ms >= nowMs && days === 0) return 'within a day';
  const count = days < 0 ? -days - 1 : days;
  const text = `${count} ${count === 1 ? 'day' : 'days'}`;
  return days < 0 ? (count === 0 ? 'less than a day ago' : `${text} ago`) : `in ${text}`;
}

/** `840 µs`, `12.4 ms`, `1.20 s`. */
export function duration(micros: number): string {
  if (micros < 1_000) return `${Math.round(micros)} µs`;
  if (micros < 1_000_000) return `${(micros / 1_000).toFixed(micros < 100_000 ? 1 : 0)} ms`;
  return `${(micros / 1_000_000).toFixed(2)} s`;
}

/** `3 d 4 h`, `2 h 5 min`, `40 s`. */
export function span(seconds: number): string {
  const [days, hours, minutes] = [seconds / 86_400, (seconds % 86_400) / 3_600, (seconds % 3_600) / 60].map(Math.floor);
  if (days! > 0) return `${days} d ${hours} h`;
  if (hours! > 0) return `${hours} h ${minutes} min`;
  return minutes! > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function kept(make: (zone: string) => Intl.DateTimeFormat): (zone: string) => Intl.DateTimeFormat {
  const formats = new Map<string, Intl.DateTimeFormat>();
  return (zone) => {
    const format = formats.get(zone) ?? make(zone);
    formats.set(zone, format);
    return format;
  };
}

/** Making one costs a hundred times what using it does. */
const clockFormat = kept(
  (timeZone) =>
    new Intl.DateTimeFormat('en-GB', {
      ...{ timeZone, hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
    }),
);
const dayFormat = kept(
  (timeZone) => new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }),
);
const DAY_MS = 86_400_000;
