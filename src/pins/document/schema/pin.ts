/** A pin, wherever one may stand: by itself, or with where it applies and from when to when. */
import { z } from 'zod';
import { choice, comment, date, text } from './values.ts';

const fileReference = z.strictObject({
  file: text().describe('PEM or DER file with one certificate or public key, relative to the configuration file.'),
});

const pinSource = z.union([text(), fileReference]);

const pinOptions = {
  at: choice(['leaf', 'ca', 'path', 'any'])
    .optional()
    .describe(
      'Where the certificate stands: leaf, ca (above it, on the verified path), path (either), any (whatever was presented; deny only). Default: path for SPKI pins, leaf for certificate and concrete-key pins, any in deny.',
    ),
  role: choice(['primary', 'backup'])
    .optional()
    .describe('A match of a backup pin is logged as such. Default: primary.'),
  notBefore: date.optional().describe('The pin is not used before this date.'),
  expires: date.optional().describe('The pin is not used from this date on.'),
  comment,
};

export const pinEntry = z
  .union([
    text(),
    z.strictObject({ pin: pinSource, ...pinOptions }),
    z.strictObject({ file: fileReference.shape.file, ...pinOptions }),
  ])
  .describe(
    'A pin: cert-sha1:<hex>, cert-sha256:<hex>, spki-sha256:<base64 or hex> (also sha256//<base64>, sha256/<base64>, pin-sha256="<base64>"), rsa:<hex>, ec:<hex>, ec(P-256):<hex>, dsa:<hex>, ed25519:<hex>, cert:<base64 or hex>, spki:<base64 or hex>, tlsa:<usage> <selector> <matching> <hex>, @list, or { "file": "x.pem" }.',
  );

export type PinEntry = z.infer<typeof pinEntry>;
