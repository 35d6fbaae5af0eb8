/** Which flows a pinset or a rule is for. */
import { z } from 'zod';
import { port, text } from './values.ts';

export const match = z
  .strictObject({
    hosts: z
      .array(text())
      .min(1)
      .optional()
      .describe(
        'Server names: exact, "*.x" (one label) or "**.x" (any number of labels, none included); "!" ahead of one exempts it from the others. Not together with addresses.',
      ),
    addresses: z.array(text()).min(1).optional().describe('Server addresses: IP or CIDR. Not together with hosts.'),
    ports: z.array(port).min(1).optional().describe('Server ports. Default: any.'),
    clients: z.array(text()).min(1).optional().describe('Client addresses: IP or CIDR. Default: any.'),
  })
  .describe('What the flow must be: keys are ANDed, the values of a list ORed.');

export type MatchSource = z.infer<typeof match>;
