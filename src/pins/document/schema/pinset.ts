/** A pinset: for which servers, which pins, and what is done. */
import { z } from 'zod';
import { match } from './match.ts';
import { pinEntry } from './pin.ts';
import { situations } from './situations.ts';
import { choice, comment, date, text, verdict } from './values.ts';

export const pinset = z
  .strictObject({
    name: text().min(1).max(64).describe('What the log calls it; given once.'),
    match: match
      .optional()
      .describe(
        'Which flows it is for. Without hosts and addresses: the fallback of flows that no other pinset selects.',
      ),
    pins: z
      .array(pinEntry)
      .min(1)
      .optional()
      .describe(
        'The server must satisfy one. Without pins the pinset is a deny list for the flows that it fits, unless it learns.',
      ),
    deny: z
      .array(pinEntry)
      .min(1)
      .optional()
      .describe('A server that presents one of these is refused, whatever else it presents.'),
    names: z
      .array(text())
      .min(1)
      .optional()
      .describe('Names that the certificate may carry besides the effective one: host names, "*.x", or addresses.'),
    mode: choice(['enforce', 'report-only', 'learn'])
      .optional()
      .describe(
        'report-only: accept, and log what enforce would have done; learn: the same, and record the keys that its hosts present.',
      )
      .meta({ default: 'enforce' }),
    then: choice(['enforce'])
      .optional()
      .describe(
        'In mode learn: a host whose keys have been seen often enough (learn.observations) is held to them from then on. Default: it is not.',
      ),
    expires: date.optional().describe('From this date on afterExpiry holds.'),
    afterExpiry: choice(['report-only', 'enforce', 'deny', 'accept']).optional().meta({ default: 'report-only' }),
    onMatch: verdict.optional().meta({ default: 'accept' }),
    onMismatch: verdict.optional().describe('Also what `deny` of a situation does. Default: that of the file.'),
    onDeny: verdict.optional().describe("What a deny pin does. Default: the pinset's onMismatch."),
    ...situations('pinned'),
    comment,
  })
  .describe('A named set of pins for some servers.');

export type PinsetSource = z.infer<typeof pinset>;
