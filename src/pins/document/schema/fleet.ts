/** The section `fleet`: where this gateway hears from the others, and whom it believes. */
import { z } from 'zod';
import { text } from './values.ts';

export const fleet = z
  .strictObject({
    name: text().describe('The fleet whose documents this gateway takes: letters, digits, `-` and `_`.'),
    gateway: text().optional().describe('What this gateway is called in it. Default: the name of the host.'),
    servers: z
      .array(text())
      .min(1)
      .describe(
        'Servers of NATS with JetStream, as "nats://HOST:PORT" or "tls://HOST:PORT"; one that answers is enough.',
      ),
    trustedKeys: z
      .array(text())
      .min(1)
      .describe('Public keys of minisign, one of which must have signed a document: without that nothing is taken.'),
    spool: text().describe(
      'Folder in which what the fleet sent is kept, for starts without a server; relative to the configuration file.',
    ),
    credentials: text()
      .optional()
      .describe('File of credentials for the servers (*.creds), relative to the configuration file.'),
    nkey: text().optional().describe('File with the seed of an nkey, relative to the configuration file.'),
    tls: z
      .strictObject({
        ca: text()
          .optional()
          .describe("Certificates in PEM that the servers' chains end at. Default: those of Node.js."),
        cert: text().optional().describe('Certificate of this gateway, in PEM.'),
        key: text().optional().describe('Its key, in PEM.'),
      })
      .optional()
      .describe('Files for TLS with the servers, relative to the configuration file.'),
    local: z
      .array(text())
      .optional()
      .describe(
        'Pinsets and lists of this file that win: what a document says under these names is left out here. Any other name that both have is an error, and the document refused.',
      ),
    key: text()
      .optional()
      .describe(
        'File with at least 32 characters that the gateways have in common and the servers do not: what gateways tell each other is sealed with it. Relative to the configuration file. Default: none, and then nothing but documents is shared.',
      ),
    lists: z
      .array(text())
      .optional()
      .describe('Writable lists of this gateway that are changed on all where they are changed on one. Default: none.')
      .meta({ default: [] }),
    share: z
      .array(z.enum(['verdicts', 'denials', 'probes', 'learned']))
      .optional()
      .describe(
        'What this gateway tells the others: every decision ("verdicts"), or those alone that deny, or would ("denials"), whose records name clients; what servers show to it, where another one asks for `probe.witnesses` ("probes"); and which keys the hosts of pinsets that learn have shown ("learned"). Default: nothing.',
      )
      .meta({ default: [] }),
    network: text()
      .optional()
      .describe(
        'Gateways with the same one reach the world by the same way, and are no witnesses for each other. Default: a network of its own.',
      ),
    corroborate: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe(
        'Gateways of different networks, this one among them, that have to have seen a key before a host is held to it by `"then": "enforce"`. What they saw counts together towards `learn.observations`. With 1 what others saw counts for nothing.',
      )
      .meta({ default: 1 }),
    spoolBytes: z
      .int()
      .min(1_000_000)
      .optional()
      .describe(
        'Octets of decisions that may wait in `spool` while no server takes them. Beyond, the oldest are lost, which is told.',
      )
      .meta({ default: 67_108_864 }),
    refuseAbove: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        'Share of the decisions of late that a document may newly deny; beyond, it is refused unless it was pushed with --force.',
      )
      .meta({ default: 0.01 }),
  })
  .describe('Gateways that share what belongs together. Default: none.');

export type FleetSource = z.infer<typeof fleet>;
