/**
 * What a gateway says of itself to the others: which version it runs, since when, and what it refused. Whoever reads one
 * has it from a stranger: bounded, and never throwing.
 */
import { z } from 'zod';

import { MAX_SIGNATURE_FILE } from '../minisign/signature.ts';

const text = (most: number) => z.string().max(most);
const version = z.int().min(1);
/** Milliseconds since the epoch, of a year with four digits: Date throws beyond its own. */
const instant = z.int().min(0).max(253_402_300_799_999);

const record = z.object({
  gateway: text(64).min(1),
  /** Of tlspin. */
  software: text(64),
  /** By which way it reaches the world. */
  network: text(64),
  /** Whether it asks servers for others. */
  answers: z.boolean(),
  running: z.object({ version, since: instant, digest: text(80), isReportOnly: z.boolean() }).nullable(),
  /** Signature of the newest that was seen: who pushes goes on behind it where servers have lost it. */
  seen: text(MAX_SIGNATURE_FILE).nullable(),
  refused: z
    .object({ version: version.nullable(), at: instant, reason: text(2_000), messages: z.array(text(1_000)).max(20) })
    .nullable(),
});

export type GatewayRecord = z.infer<typeof record>;

export function recordOctets(of: GatewayRecord): Uint8Array {
  const { refused } = of;
  const bounded = refused && {
    ...refused,
    reason: refused.reason.slice(0, 2_000),
    messages: refused.messages.slice(0, 20).map((each) => each.slice(0, 1_000)),
  };
  return new TextEncoder().encode(JSON.stringify({ ...of, refused: bounded }));
}

export function parseRecord(octets: Uint8Array): GatewayRecord | undefined {
  if (octets.length > MOST_OCTETS) return undefined;
  try {
    const { data } = record.safeParse(JSON.parse(new TextDecoder().decode(octets)));
    return data;
  } catch {
    return undefined;
  }
}

const MOST_OCTETS = 100_000;
