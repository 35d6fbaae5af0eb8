/** Pinsets with their pins, and the days on which something of them ends. */
import type { PinsetView } from '../../src/web/api.ts';
import { badge, code, element, table } from '../dom.ts';
import { counted } from '../sentences.ts';
import { timeElement } from '../time-element.ts';
import { daysFrom } from '../times.ts';

export function pinsetsOf(pinsets: readonly PinsetView[]): HTMLElement {
  if (pinsets.length === 0)
    return element(
      'p',
      { class: 'empty' },
      'The configuration has no pinset: nothing is pinned. tlspin pin makes pins of what a server shows.',
    );
  return element('div', {}, ...pinsets.map(pinsetOf));
}

function pinsetOf({
  pinset,
  mode,
  hosts,
  addresses,
  pins,
  pins_left_out: leftOut,
  deny_pins: denyPins,
}: PinsetView): HTMLElement {
  const rows = pins.map(({ pin, at, role, expires, list, matched }) => [
    element('span', {}, code(pin), list === null ? null : ` (list ${list})`),
    `${role}, at ${at}`,
    matched === null ? element('span', { class: 'faint' }, 'not seen') : timeElement(matched),
    expires === null ? '–' : timeElement(expires, 'day'),
  ]);
  const hasBackup = pins.some(({ role }) => role === 'backup');
  const more = [leftOut > 0 ? `${leftOut} other pins` : '', denyPins > 0 ? `${denyPins} deny pins` : '']
    .filter((part) => part !== '')
    .join(', ');
  return element(
    'details',
    { class: 'pinset', open: pinsetIsShort(pins.length) },
    element(
      'summary',
      {},
      element('strong', {}, pinset),
      ` ${mode}, ${counted(pins.length, 'pin', 'pins')} `,
      hasBackup ? badge('has a backup', 'good') : badge('no backup pin', 'warn'),
    ),
    element('p', { class: 'note' }, [...hosts, ...addresses].join(', ')),
    pins.length === 0
      ? element('p', {}, 'It has no pin.')
      : table(`Pins of ${pinset}`, ['Pin', 'Role', 'Let pass last', 'Ends'], rows),
    more === '' ? null : element('p', { class: 'note' }, `Besides: ${more}.`),
  );
}

function pinsetIsShort(pins: number): boolean {
  return pins <= 5;
}

/** The next first. */
export function expiriesOf(pinsets: readonly PinsetView[]): HTMLElement {
  const ends = pinsets.flatMap(({ pinset, expires, pins }) => [
    ...(expires === null ? [] : [{ pinset, what: 'the pinset', at: expires }]),
    ...pins.flatMap((pin) => (pin.expires === null ? [] : [{ pinset, what: pin.pin, at: pin.expires }])),
  ]);
  if (ends.length === 0) return element('p', { class: 'empty' }, 'No pin and no pinset has an end.');
  ends.sort((a, b) => a.at.localeCompare(b.at));
  const now = Date.now();
  const rows = ends.slice(0, SHOWN).map(({ pinset, what, at }) => {
    const ms = Date.parse(at);
    const level = ms < now ? 'bad' : ms < now + SOON_MS ? 'warn' : 'note';
    return [timeElement(at, 'day'), badge(daysFrom(ms, now), level), pinset, code(what)];
  });
  return table('What ends next', ['Day', 'When', 'Pinset', 'What'], rows);
}

const SHOWN = 20;
const SOON_MS = 30 * 86_400_000;
