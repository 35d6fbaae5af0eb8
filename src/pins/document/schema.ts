/**
 * The shape of a configuration file: which keys there are, which values each takes, what it means and what holds where
 * it is left out. The JSON Schema for editors is written out of this. What values mean together is for the compiler;
 * packet threads never load this file.
 */
import { z } from 'zod';
import { keylog, learn, probe } from './schema/evidence.ts';
import { fleet } from './schema/fleet.ts';
import { list, rules } from './schema/lists.ts';
import { log } from './schema/log.ts';
import { connmark, limits } from './schema/packets.ts';
import { pair } from './schema/pair.ts';
import { pinset } from './schema/pinset.ts';
import { signedPins } from './schema/signed-pins.ts';
import { situations } from './schema/situations.ts';
import { port, text, verdict } from './schema/values.ts';

export const configurationSchema = z
  .strictObject({
    $schema: text().optional().describe('For editors; ignored.'),
    version: z.literal(1).describe('Version of this format.'),
    strict: z.boolean().optional().describe('Warnings are errors.').meta({ default: false }),
    include: z
      .union([text(), z.array(text()).min(1)])
      .optional()
      .describe(
        'Files with further pinsets and lists, or folders of them (*.json, in the order of their names), relative to this file. What such a file names is relative to itself.',
      ),
    pins: signedPins.optional(),
    pinsets: z.array(pinset).optional(),
    lists: z.record(text(), list).optional().describe('Lists by name or number.'),
    rules: rules.optional(),
    pinned: z
      .strictObject(situations('pinned'))
      .optional()
      .describe('Situations of pinned flows, where a pinset does not say otherwise.'),
    unpinned: z.strictObject(situations('unpinned')).optional().describe('Situations of flows that no pinset selects.'),
    onMismatch: verdict
      .optional()
      .describe('Default of every pinset, and what `deny` does where no pinset was selected.')
      .meta({ default: 'tls-alert' }),
    connmark: connmark.optional(),
    ports: z
      .array(port)
      .optional()
      .describe('Ports that `tlspin rules` sends to the queue besides those that pinsets and rules name.')
      .meta({ default: [443] }),
    limits: limits.optional(),
    probe: probe.optional(),
    keylog: keylog.optional(),
    learn: learn.optional(),
    log: log.optional(),
    fleet: fleet.optional(),
    pair: pair.optional(),
    control: z
      .strictObject({
        socket: text()
          .optional()
          .describe('Path of the control socket, relative to the configuration file. Default: none.'),
        mode: text().optional().describe('Its permissions, octal.').meta({ default: '0600' }),
      })
      .optional(),
    metrics: z
      .strictObject({
        listen: text().describe(
          'Where Prometheus finds the metrics (GET /metrics): ADDRESS:PORT, such as "127.0.0.1:9477" or "[::1]:9477", or the path of a unix socket, relative to the configuration file.',
        ),
      })
      .optional()
      .describe('Metrics for Prometheus. Default: none.'),
    user: text()
      .optional()
      .describe(
        'Whom `tlspin run`, started as root, becomes before its first packet: a name or a number. Default: it stays.',
      ),
    queues: z
      .union([z.int().min(0).max(65_535), text()])
      .optional()
      .describe('Queue number, or first and last, such as "0:3".')
      .meta({ default: 0 }),
    failOpen: z
      .boolean()
      .optional()
      .describe('Whether the kernel accepts packets when the queue is full.')
      .meta({ default: false }),
    allowOffload: z
      .boolean()
      .optional()
      .describe('Start although flow offload may skip the queue.')
      .meta({ default: false }),
  })
  .describe('Configuration of tlspin.');

/** What a file may hold that another one includes. */
export const includedSchema = configurationSchema
  .pick({ $schema: true, version: true, pinsets: true, lists: true })
  .strict();

export type Configuration = z.infer<typeof configurationSchema>;

/** JSON Schema (2020-12) of a configuration file, for editors. */
export function configurationJsonSchema(): unknown {
  return z.toJSONSchema(configurationSchema, { io: 'input', target: 'draft-2020-12' });
}
