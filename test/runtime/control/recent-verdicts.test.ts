import { describe, expect, it } from 'vitest';

import type { VerdictEvent } from '../../../src/judge/events.ts';
import { RecentVerdicts } from '../../../src/runtime/control/recent-verdicts.ts';
import { policy } from '../../support/policy.ts';
import { EVENT } from '../../support/queue-messages.ts';
import { tlsSummary, verdictEvent } from '../../support/verdict-event.ts';

const summary = (octets: number) =>
  tlsSummary({ certificates: [new Uint8Array(octets)], clientCertificates: [new Uint8Array(octets)] });

const verdict = (flowId: number, more: Partial<VerdictEvent> = {}) =>
  verdictEvent({ flowId, time: flowId * 1000, tls: null, ...more });

const ids = (recent: RecentVerdicts) => [...recent.latest()].map(({ event }) => event.flowId);
const many = (count: number, more?: Partial<VerdictEvent>) =>
  Array.from({ length: count }, (_, i) => verdict(i + 1, more));

describe('decisions of late', () => {
  it('come the latest first, each with the queue that it is of', () => {
    const recent = new RecentVerdicts(policy());
    recent.take([verdict(1), verdict(2)], 0);
    recent.take([verdict(3)], 5);
    expect([...recent.latest()].map(({ queue, event }) => [queue, event.flowId])).toEqual([
      [5, 3],
      [0, 2],
      [0, 1],
    ]);
  });

  it('are as many as may be kept: the oldest go first', () => {
    const recent = new RecentVerdicts(policy(), { flows: 3, octets: 1e9 });
    recent.take(many(5), 0);
    expect(ids(recent)).toEqual([5, 4, 3]);
  });

  it('are as large as they may be: certificates and the client’s own count', () => {
    const recent = new RecentVerdicts(policy(), { flows: 100, octets: 30_000 });
    // 2 x 4,500 octets each, and about 1,000 for the rest.
    recent.take(many(10, { tls: summary(4_500) }), 0);
    expect(ids(recent)).toEqual([10, 9, 8]);
    recent.take([verdict(11)], 0);
    expect(ids(recent)).toEqual([11, 10, 9]);
  });

  it('that are larger than everything are not kept at all, and push out the rest', () => {
    const recent = new RecentVerdicts(policy(), { flows: 100, octets: 10_000 });
    recent.take([verdict(1), verdict(2, { tls: summary(5_000) }), verdict(3)], 0);
    expect(ids(recent)).toEqual([3]);
  });

  it('that were let go still count', () => {
    const recent = new RecentVerdicts(policy(), { flows: 1, octets: 1e9 });
    recent.take(many(3), 0);
    recent.take([verdict(4, { action: 'tls-alert', reason: 'pin-mismatch' })], 1);
    expect(recent.counts).toEqual({ 'accept pin-match': 3, 'tls-alert pin-mismatch': 1 });
    expect(Object.keys(recent.counts)).toEqual(['accept pin-match', 'tls-alert pin-mismatch']);
  });

  it('are not anomalies, which are only counted', () => {
    const recent = new RecentVerdicts(policy());
    recent.take([EVENT, verdict(1), EVENT], 0);
    expect([recent.anomalies, ids(recent)]).toEqual([2, [1]]);
  });
});

describe('the configuration that decided', () => {
  const generation = (n: number) => policy({ hash: `sha256:${n}` });
  const decidedBy = (recent: RecentVerdicts) => [...recent.latest()].map(({ event }) => recent.policyOf(event)?.hash);

  it('is known by its hash, also for a decision that comes after a reload', () => {
    const recent = new RecentVerdicts(generation(1));
    recent.take([verdict(1, { config: 'sha256:1' })], 0);
    recent.adopt(generation(2));
    recent.take([verdict(2, { config: 'sha256:1' }), verdict(3, { config: 'sha256:2' })], 0);
    expect(decidedBy(recent)).toEqual(['sha256:2', 'sha256:1', 'sha256:1']);
  });

  it('is not known any more eight configurations later, however many decisions there are', () => {
    const recent = new RecentVerdicts(generation(1));
    for (let n = 2; n <= 8; n++) recent.adopt(generation(n));
    recent.take([verdict(1, { config: 'sha256:1' })], 0);
    expect(decidedBy(recent)).toEqual(['sha256:1']);
    recent.adopt(generation(9));
    recent.take([verdict(2, { config: 'sha256:1' })], 0);
    expect(decidedBy(recent)).toEqual([undefined, undefined]);
  });
});
