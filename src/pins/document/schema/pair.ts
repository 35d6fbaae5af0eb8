/** The section `pair`: the link to the other gateway of a failover pair. */
import { z } from 'zod';
import { text } from './values.ts';

export const pair = z
  .strictObject({
    interface: text().describe('Interface of the link that the two have for themselves.'),
    address: text().describe("This gateway's address on it."),
    peer: text().describe("The other one's."),
    gateway: text()
      .optional()
      .describe(
        'What the other one is called in the fleet, over which sessions and answers to probes are then shared with it. Default: none are.',
      ),
  })
  .describe(
    'The other gateway of a failover pair, for `tlspin rules --pair`: connections that were accepted there go on here. Default: none.',
  );

export type PairSource = z.infer<typeof pair>;
