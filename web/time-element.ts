/** A time in the document: short to read, whole in its title. */
import { element } from './dom.ts';
import { clock, dayAndClock, isoDay, millisOf, zoneName } from './times.ts';

export function timeElement(at: string, shown: 'clock' | 'day' | 'day-and-clock' = 'day-and-clock'): HTMLElement {
  const [ms, now] = [millisOf(at), Date.now()];
  const text = { clock: () => clock(ms), day: () => isoDay(ms), 'day-and-clock': () => dayAndClock(ms, now) }[shown]();
  const title = `${isoDay(ms)} ${clock(ms)} ${zoneName(ms)}`;
  return element('time', { datetime: new Date(ms).toISOString(), title }, text);
}
