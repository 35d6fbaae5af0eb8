/** Values that occur in many places of a configuration file: texts, choices, dates, ports, verdicts, bits. */
import { z } from 'zod';

export const DAY_MS = 86_400_000;

export const text = () => z.string();

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values);
}

export const comment = text().optional().describe('For people; ignored.');

export const date = text().describe(
  'RFC 3339 date or time, such as 2027-01-31 or 2027-01-31T12:00:00Z. A date begins at 00:00 UTC.',
);

export const port = z
  .union([z.int().min(1).max(65_535), text()])
  .describe('A port, such as 443, or a range, such as "8443-8449".');

const action = choice(['accept', 'drop', 'reset', 'tls-alert']).describe(
  'accept; drop: silently; reset: RST to both sides; tls-alert: a fatal alert that the client can read, and RST to the server.',
);

export const verdict = z
  .union([
    action,
    z.strictObject({
      verdict: action,
      connmark: text()
        .optional()
        .describe(
          '"value/mask", such as "0x12/0xff": written in addition to the engine\'s own bits, which it must not overlap.',
        ),
    }),
  ])
  .describe('What is done with the flow.');

export const bits = z.union([text(), z.int().min(0).max(0xffff_ffff)]);

export const count = (defaultValue: number, least: number, most: number) =>
  z.int().min(least).max(most).optional().meta({ default: defaultValue });

export type PortSource = z.infer<typeof port>;
export type VerdictSource = z.infer<typeof verdict>;
