/** Decisions of late beside another configuration: real certificates, real pins. */
import { describe, expect, it } from 'vitest';

import type { VerdictEvent } from '../../../src/judge/events.ts';
import { replay } from '../../../src/runtime/control/replay.ts';
import { presentCertificate } from '../../../src/x509/presented.ts';
import { certificate } from '../../support/certificates.ts';
import { PIN_A, PIN_B, policyOf } from '../../support/configuration.ts';
import { HOST } from '../../support/flows.ts';
import { tlsSummary, verdictEvent } from '../../support/verdict-event.ts';

const LEAF = certificate('leaf');
const KEY = `spki-sha256:${Buffer.from(presentCertificate(LEAF).spkiSha256!, 'hex').toString('base64')}`;
const shown = (more: Partial<VerdictEvent> = {}) =>
  verdictEvent({ tls: tlsSummary({ certificates: [LEAF] }), ...more });
const DENIED = { action: 'tls-alert', reason: 'pin-mismatch' } as const;
const policyWith = (pinset: object) =>
  policyOf({ version: 1, pinsets: [{ name: 'bank', match: { hosts: [HOST] }, pins: [PIN_A, PIN_B], ...pinset }] });

describe('decisions of late, by another configuration', () => {
  it('that has not the key would be denied: how many, how many of them pass now, and what was shown', () => {
    const events = [shown(), shown(), shown(DENIED)];
    expect(replay(events, policyWith({}))).toEqual({
      replayed: 3,
      would_deny: 3,
      newly_denied: 2,
      newly_accepted: 0,
      denied: [{ sni: HOST, dest_ip: '198.51.100.7', pinset: 'bank', key: KEY, count: 3 }],
    });
  });

  it('that has the key would pass, also those that were denied', () => {
    expect(replay([shown(), shown(DENIED)], policyWith({ pins: [KEY, PIN_A] }))).toEqual({
      replayed: 2,
      would_deny: 0,
      newly_denied: 0,
      newly_accepted: 1,
      denied: [],
    });
  });

  it.each([
    ['that only reports denies nothing', { mode: 'report-only' }, 0],
    ['that is for others denies nothing', { match: { hosts: ['www.shop.example'] } }, 0],
    ['that denies the key denies it, whatever else it pins', { pins: [KEY, PIN_A], deny: [KEY] }, 1],
    ['that asks for a newer version denies older ones', { pins: [KEY, PIN_A], checks: { minVersion: '1.3' } }, 1],
    ['whose pin of the key is not used yet denies it', { pins: [{ pin: KEY, notBefore: '2999-01-01' }, PIN_A] }, 1],
  ])('%s', (_, pinset, denied) => {
    expect(replay([shown()], policyWith(pinset))).toMatchObject({ replayed: 1, would_deny: denied });
  });

  it('each is judged by its own version of TLS, whatever the same chain was shown with before', () => {
    const newer = shown({ tls: tlsSummary({ certificates: [LEAF], version: 0x0304 }) });
    const asking = policyWith({ pins: [KEY, PIN_A], checks: { minVersion: '1.3' } });
    expect(replay([newer, shown(), newer], asking)).toMatchObject({ replayed: 3, would_deny: 1, newly_denied: 1 });
  });

  it('without a certificate are left alone, and no more than are wanted are looked at', () => {
    const incomplete = verdictEvent({ ...DENIED, reason: 'incomplete' });
    expect(replay([incomplete, verdictEvent({ tls: null })], policyWith({}))).toMatchObject({ replayed: 0 });
    expect(replay([shown(), shown(), shown()], policyWith({}), 2)).toMatchObject({ replayed: 2, would_deny: 2 });
  });
});
