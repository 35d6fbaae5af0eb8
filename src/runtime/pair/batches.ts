/**
 * What two gateways of a pair tell each other of what they remember: sessions that were given out, and what servers showed to
 * probes. Comes from whoever has the fleet's key: its shape is checked. Ages, not times: their clocks are not one.
 */
import { z } from 'zod';

import type { KeptSession } from '../../judge/sessions.ts';
import type { KeptAnswers } from '../../probe/cache.ts';

export type ShownAnswers = KeptAnswers['shown'][number];

const age = z.number().min(0);
const session = z.object({
  key: z.string().regex(/^[0-9a-f]{64}$/),
  pinsets: z.array(z.string().max(1_000)).max(100),
  left: z.number().max(1e13),
  dateMs: z.number().nullable(),
});
const shown = z.object({
  finding: z.object({
    kind: z.literal('certificates'),
    chain: z.array(z.base64()).max(100),
    isRawPublicKey: z.boolean(),
    version: z.int().min(0).max(65_535),
    proven: z.boolean(),
  }),
  atMs: age,
  confirmations: z.int().min(0).max(8),
  confirmedMs: age,
});

export const batches = z.object({
  /** When whoever tells began. */
  run: z.int().min(0),
  /** What sessions stand for. */
  pinsets: z.string().max(64),
  sessions: z.array(session).max(10_000),
  answers: z.array(z.tuple([z.string().max(200_000), z.array(shown).min(1).max(8)])).max(10_000),
});
export const receipts = z.object({ run: z.int().min(0) });

export type Batch = z.infer<typeof batches>;

export function batchOf(
  of: Pick<Batch, 'run' | 'pinsets'>,
  sessions: readonly KeptSession[],
  answers: readonly ShownAnswers[],
): Batch {
  return {
    ...of,
    sessions: sessions.map((each) => ({ ...each, pinsets: [...each.pinsets] })),
    answers: answers.map(([question, all]) => [question, all.map(written)]),
  };
}

export function answersIn({ answers }: Batch): KeptAnswers {
  const read = ({ finding, ...rest }: Batch['answers'][number][1][number]) => ({
    ...rest,
    finding: { ...finding, chain: finding.chain.map((der) => new Uint8Array(Buffer.from(der, 'base64'))) },
  });
  return { shown: answers.map(([question, all]) => [question, all.map(read)]), failed: [] };
}

function written({
  finding,
  atMs,
  confirmations,
  confirmedMs,
}: ShownAnswers[1][number]): Batch['answers'][number][1][number] {
  const { kind, isRawPublicKey, version, proven } = finding;
  const chain = finding.chain.map((der) => Buffer.from(der).toString('base64'));
  const ages = { atMs: Math.max(0, atMs), confirmations, confirmedMs: Math.max(0, confirmedMs) };
  return { finding: { kind, chain, isRawPublicKey, version, proven }, ...ages };
}
