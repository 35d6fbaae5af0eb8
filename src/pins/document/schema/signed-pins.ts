/** Pins that somebody signs and a web server has: where they are, whom to believe, where they are kept. */
import { z } from 'zod';
import { text } from './values.ts';

export const signedPins = z
  .strictObject({
    url: text().describe(
      'Where the document is, such as "https://pins.example.org/office.json": pinsets and lists, as an included file has them. Its signature, in minisign\'s format, is there with .minisig behind it.',
    ),
    trustedKeys: z
      .array(text())
      .min(1)
      .describe(
        "Who may sign it: public keys as minisign writes them, the line that begins with RW. One's signature is enough.",
      ),
    file: text().describe(
      'Where what was had last is kept, with its signature, relative to the configuration file. It is in force until something newer is had, whatever happens.',
    ),
    name: text()
      .optional()
      .describe('What the signature calls it ("name=…"). Default: the last part of the address, without .json.'),
    every: text().optional().describe('How often it is looked for, such as "5m".').meta({ default: '5m' }),
    ca: text()
      .optional()
      .describe(
        'PEM file of who vouches for the web server, relative to the configuration file. Default: those that Node trusts.',
      ),
  })
  .describe('Further pinsets and lists, signed, from a web server.');

export type SignedPinsSource = z.infer<typeof signedPins>;
