/** What concerns packets rather than pins: bounds of what peers can use up, and the bits of marks. */
import { z } from 'zod';
import { LIMIT_DEFAULTS } from '../../limits.ts';
import type { LimitName } from '../../limits.ts';
import { bits, choice } from './values.ts';

export const limits = z
  .strictObject(
    Object.fromEntries(
      Object.entries(LIMIT_DEFAULTS).map(([name, value]) => [name, z.int().min(1).optional().meta({ default: value })]),
    ) as { [name in LimitName]: z.ZodOptional<z.ZodInt> },
  )
  .describe('Bounds of what grows with what peers send.');

export const connmark = z
  .strictObject({
    mask: bits.optional().meta({ default: '0x3000000' }),
    accept: bits.optional().meta({ default: '0x1000000' }),
    deny: bits.optional().meta({ default: '0x2000000' }),
    pending: bits.optional().meta({ default: '0x3000000' }),
    told: bits
      .optional()
      .describe(
        'The one bit of packet marks by which the rules know packets whose verdict sets the others, where a verdict cannot carry them; not one of `mask`.',
      )
      .meta({ default: '0x4000000' }),
    route: choice(['auto', 'verdict', 'packet-mark']).optional().meta({ default: 'auto' }),
  })
  .describe("The engine's own bits of the connection mark.");

export type ConnmarkSource = z.infer<typeof connmark>;
