/** Lists of pins, and the rules of xt_sslpin that look things up in them. */
import { z } from 'zod';
import { match } from './match.ts';
import { choice, comment, text, verdict } from './values.ts';

export const list = z
  .strictObject({
    entries: z.array(text()).optional().describe('Pins, as in a pinset.'),
    file: text().optional().describe('File with further entries, relative to the configuration file.'),
    format: choice(['lines', 'pem', 'sslbl-csv'])
      .optional()
      .describe(
        'lines: one pin or digest a line, # begins a comment, as sha1sum prints them too; pem: certificates; sslbl-csv: the SSL blacklist of abuse.ch.',
      )
      .meta({ default: 'lines' }),
    kind: choice(['cert-sha1', 'cert-sha256', 'spki-sha256'])
      .optional()
      .describe(
        'What bare digests are, and what is taken of PEM certificates. Default: told by length; cert-sha256 for PEM.',
      ),
    writable: z
      .boolean()
      .optional()
      .describe('Whether it may be changed at run time; it is then written back to its file.')
      .meta({ default: false }),
    maxAge: text()
      .optional()
      .describe(
        'A file older than this, such as "36h" or "7d", is stale: that is warned about when it is read, and said, logged and shown when it becomes so later. Its entries stay in force.',
      ),
    comment,
  })
  .describe('A named or numbered list of pins.');

export const rule = z
  .strictObject({
    fpl: z
      .union([text(), z.int().min(0)])
      .optional()
      .describe('A list: "0" is true if any presented certificate is listed, "!0" unless the leaf is.'),
    pubkey: text().optional().describe('The leaf\'s public key, "rsa:<hex>", or "!rsa:<hex>": any other.'),
    match: match.optional(),
    verdict,
    comment,
  })
  .describe("One of xt_sslpin's rules: fpl or pubkey.");

/** Netfilter's rules have the name too: those that lead packets here may be kept in place. */
export const rules = z
  .union([
    z.array(rule),
    z.strictObject({
      keep: z
        .boolean()
        .optional()
        .describe(
          "Put netfilter's rules in place whenever they are not, and say so. The other keys are as `tlspin rules` has them.",
        )
        .meta({ default: false }),
      hook: choice(['forward', 'local', 'both']).optional().meta({ default: 'forward' }),
      format: choice(['iptables', 'nft']).optional().meta({ default: 'iptables' }),
      quic: z
        .boolean()
        .optional()
        .describe('Whether QUIC is refused where it would lead past the engine.')
        .meta({ default: true }),
      queueUdp: z.boolean().optional().meta({ default: false }),
      queueBypass: z.boolean().optional().meta({ default: false }),
      list: z.array(rule).optional().describe("xt_sslpin's rules."),
    }),
  ])
  .describe(
    "xt_sslpin's rules, from top to bottom (the first whose verdict is not accept is final); or how netfilter's are kept, with those in `list`.",
  );

export type RulesSource = z.infer<typeof rules>;
export type ListSource = z.infer<typeof list>;
export type RuleSource = z.infer<typeof rule>;
