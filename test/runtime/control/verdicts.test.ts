/** The decisions of late as the control socket tells them: records of the log, chosen and continued. */
import { describe, expect, it } from 'vitest';

import type { VerdictEvent } from '../../../src/judge/events.ts';
import { CertificateEntries } from '../../../src/report/certificate-entry.ts';
import { toEve } from '../../../src/report/eve.ts';
import { recordSchema } from '../../../src/report/schema.ts';
import { verdictsAnswer } from '../../../src/runtime/control/flows.ts';
import { RecentVerdicts } from '../../../src/runtime/control/recent-verdicts.ts';
import { RequestReader } from '../../../src/runtime/control/requests.ts';
import type { Overview } from '../../../src/runtime/control/status.ts';
import { describeCertificate } from '../../../src/x509/certificate.ts';
import { presentCertificate } from '../../../src/x509/presented.ts';
import { policy } from '../../support/policy.ts';
import { verdictEvent } from '../../support/verdict-event.ts';

const certificates = new CertificateEntries({ present: presentCertificate, describe: describeCertificate }, 'pins');
const log = { recordOf: (event: VerdictEvent) => toEve(event, { certificates }) } as Overview['log'];

/** Decided second by second from the beginning of 2027 on. */
function remembered(events: readonly Partial<VerdictEvent>[], flows = 100): RecentVerdicts {
  const verdicts = new RecentVerdicts(policy(), { flows, octets: 1e9 });
  verdicts.take(
    events.map((more, i) => verdictEvent({ flowId: i + 1, time: (Date.UTC(2027, 0, 1) + i * 1000) * 1000, ...more })),
    3,
  );
  return verdicts;
}

function asked(verdicts: RecentVerdicts, request: object) {
  const answer = verdictsAnswer({ verdicts, log }, new RequestReader({ ...request }));
  const records = answer['verdicts'] as Record<string, unknown>[];
  return { ...answer, records, flows: records.map(({ flow_id: flow }) => flow) };
}

const DENIED = { action: 'tls-alert', reason: 'pin-mismatch' } as const;
const WOULD = { action: 'accept', mode: 'report-only', would: 'reset', reason: 'pin-mismatch' } as const;

describe('decisions of late', () => {
  it('are records of the log, with the queue', () => {
    const [{ queue, ...record }] = asked(remembered([DENIED]), {}).records as [Record<string, unknown>];
    expect(queue).toBe(3);
    expect(recordSchema.parse(record)).toMatchObject({ flow_id: 1, verdict: DENIED, tls: { sni: 'www.bank.example' } });
  });

  it('that were denied are those that would have been, too', () => {
    const verdicts = remembered([{}, DENIED, WOULD, { would: 'accept' }]);
    expect(asked(verdicts, { denied: true }).flows).toEqual([3, 2]);
  });

  it('of which none fits say whom there are some about', () => {
    const verdicts = remembered([{}, DENIED]);
    expect(asked(verdicts, { name: 'www.shop.example' })).toMatchObject({
      verdicts: [],
      others: { names: ['www.bank.example'], pinsets: ['bank'] },
    });
    expect(asked(verdicts, {})).not.toHaveProperty('others');
  });

  it('since a moment are those from it on', () => {
    const verdicts = remembered([{}, {}, {}]);
    expect(asked(verdicts, { since: '2027-01-01T00:00:01Z' }).flows).toEqual([3, 2]);
    expect(() => asked(verdicts, { since: 'yesterday' })).toThrow('"since" must be a time');
  });

  it('are continued by the number of the last: each once, and what was forgotten is counted', () => {
    const verdicts = remembered([{}, DENIED, {}], 4);
    expect(asked(verdicts, { denied: true })).toMatchObject({ flows: [2], last: 3, missed: 0 });
    verdicts.take([verdictEvent({ flowId: 4, ...DENIED }), verdictEvent({ flowId: 5 })], 0);
    expect(asked(verdicts, { denied: true, after: 3 })).toMatchObject({ flows: [4], last: 5, missed: 0 });
    expect(asked(verdicts, { after: 5 })).toMatchObject({ flows: [], last: 5, missed: 0 });
    verdicts.take(
      Array.from({ length: 9 }, (_, i) => verdictEvent({ flowId: 6 + i })),
      0,
    );
    expect(asked(verdicts, { after: 5 })).toMatchObject({ flows: [14, 13, 12, 11], last: 14, missed: 5 });
  });
});
