/** What takes its time takes it whatever becomes of the time of day; what has dates goes by them, and by nothing else. */
import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { bank, genuineFlight, genuinePin, HOST, opened } from '../support/flows.ts';
import { full, resume } from '../support/handshakes.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const BOUND = { action: 'accept', reason: 'resumed-bound' };
const UNBOUND = { action: 'tls-alert', reason: 'resumed-unbound' };
const TICKET = Buffer.from('a ticket of the genuine server');

describe.each([-HOUR, HOUR])('when the time of day is set by %d ms', (jump) => {
  it('a handshake has the rest of its time', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello(HOST).subarray(0, 40));
    wire.wait(LIMIT_DEFAULTS.handshakeTimeout - 2000);
    wire.setTimeOfDay(jump);
    wire.wait(1000);
    expect(wire.verdicts).toEqual([]);
    wire.wait(2000);
    expect(wire.verdicts).toMatchObject([{ reason: 'incomplete' }]);
  });

  it('half-open connections make room as ever', () => {
    const wire = new Wire({ pinsets: [bank()] }).open();
    wire.setTimeOfDay(jump);
    wire.wait(1000);
    expect(wire.engine.flows).toBe(1);
    for (let minutes = 0; minutes < 6; minutes++) wire.wait(MINUTE);
    expect(wire.engine.flows).toBe(0);
  });

  it('a bound session lives as long as it was said to', () => {
    const wire = opened();
    full(wire, { ticket: TICKET });
    wire.setTimeOfDay(jump);
    wire.now += 7_199e6;
    expect(resume(wire, { ticket: TICKET })).toMatchObject(BOUND);
    wire.now += 2e6;
    expect(resume(wire, { ticket: TICKET })).toMatchObject(UNBOUND);
  });

  it('records say the time of day', () => {
    const wire = opened();
    wire.setTimeOfDay(jump);
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(genuineFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-match', time: wire.now }]);
  });
});

describe('the date of a pin', () => {
  const ends = (atMs: number) => bank({ pins: [{ ...genuinePin, expires: atMs }] });
  const decide = (wire: Wire) => {
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(genuineFlight);
    return wire.verdicts.at(-1);
  };

  it('is one of the time of day', () => {
    const soon = new Wire().now / 1000 + HOUR / 2;
    expect(decide(opened({ pinsets: [ends(soon)] }))).toMatchObject({ reason: 'pin-match' });
    const later = opened({ pinsets: [ends(soon)] });
    later.setTimeOfDay(HOUR);
    expect(decide(later)).toMatchObject({ action: 'tls-alert' });
  });

  it('ends what sessions stand for, however it comes', () => {
    const wire = opened({ pinsets: [ends(new Wire().now / 1000 + HOUR / 2)] });
    full(wire, { ticket: TICKET });
    expect(resume(wire, { ticket: TICKET })).toMatchObject(BOUND);
    wire.setTimeOfDay(HOUR);
    expect(resume(wire, { ticket: TICKET })).toMatchObject(UNBOUND);
  });
});
