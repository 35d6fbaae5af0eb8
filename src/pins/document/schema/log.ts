/** The section `log`: what is recorded, and where records go. */
import { z } from 'zod';
import { FACILITIES } from '../facilities.ts';
import { choice, DAY_MS, text } from './values.ts';

const options = z.record(text(), z.unknown()).optional().describe('Its options, as its own documentation has them.');

const stage = z.strictObject({
  target: text().describe('The package, or the path of a file.'),
  options,
});

const place = text().describe('A file, relative to the configuration file; or "-" for standard output.');

const service = z.strictObject({
  syslog: z
    .strictObject({
      socket: text().optional().describe('The unix socket that it reads datagrams from.').meta({ default: '/dev/log' }),
      facility: z
        .enum(Object.keys(FACILITIES) as [keyof typeof FACILITIES])
        .optional()
        .meta({ default: 'daemon' }),
      format: choice(['local', 'rfc5424'])
        .optional()
        .describe(
          'local: as programs of the host speak to it, which journald understands too; rfc5424: RFC 5424. Default: local, and rfc5424 for a transport.',
        ),
    })
    .optional()
    .describe('The syslog daemon of this host, or journald; with a transport, the form that it has records in.'),
  transport: z
    .strictObject({
      target: text()
        .optional()
        .describe(
          'The package, such as "pino-socket", installed in a node_modules beside the configuration file or above; or the path of a file, relative to it; or "pino/file".',
        ),
      options,
      pipeline: z
        .array(stage)
        .min(1)
        .optional()
        .describe('Instead of a target: several, each of which has what the one before it makes.'),
    })
    .optional()
    .describe('A transport of pino, in a process of its own.'),
});

const destination = z.union([place, service]);

export const log = z.strictObject({
  unpinned: z.boolean().optional().describe('Whether flows without a pinset are logged.').meta({ default: false }),
  certificates: choice(['pins', 'full'])
    .optional()
    .describe('pins: digests and names of certificates; full: the DER too.')
    .meta({ default: 'pins' }),
  stats: z
    .int()
    .min(0)
    .max(DAY_MS / 1000)
    .optional()
    .describe('Seconds between two records of the counters (event_type stats). 0: none.')
    .meta({ default: 0 }),
  to: z
    .union([place, service, z.array(destination).min(1)])
    .optional()
    .describe(
      'Where `tlspin run` has records go, to one place or several; `--log` on its command line is instead of it. Default: standard output.',
    ),
});

export type LogSource = z.infer<typeof log>;
export type DestinationSource = z.infer<typeof destination>;
export type SyslogSource = NonNullable<Exclude<DestinationSource, string>['syslog']>;
export type TransportSource = NonNullable<Exclude<DestinationSource, string>['transport']>;
