/** Times of certificates (RFC 5280 §4.1.2.5): UTCTime until 2049, GeneralizedTime, always in UTC. */
import { TAG } from './der.ts';
import type { DerReader } from './der.ts';

/** Milliseconds since the epoch, negative before 1970; null when the next element is not a time. Reads one element. */
export function readTime(reader: DerReader): number | null {
  const element = reader.next();
  const text = Buffer.from(reader.content(element)).toString('latin1');
  if (element.tag === TAG.utcTime) return timeOf(UTC_TIME.exec(text), (year) => year + (year < 50 ? 2000 : 1900));
  if (element.tag === TAG.generalizedTime) return timeOf(GENERALIZED_TIME.exec(text), (year) => year);
  return null;
}

/** `2026-11-21T19:31:36`, in UTC, as Suricata writes the times of certificates. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, -5);
}

function timeOf(found: RegExpExecArray | null, fullYear: (year: number) => number): number | null {
  if (found === null) return null;
  const [year, month, day, hour, minute, second] = found.slice(1).map(Number) as [number, number, number, ...number[]];
  const time = new Date(0);
  time.setUTCFullYear(fullYear(year), month - 1, day);
  time.setUTCHours(hour!, minute!, second!);
  // A 31 February would have become a day of March.
  const isReal = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && hour! < 24;
  return isReal && minute! < 60 && second! < 60 ? time.getTime() : null;
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
