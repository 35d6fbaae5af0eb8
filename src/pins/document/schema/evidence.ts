/** Where evidence comes from that does not go by in clear: probes, key logs, and what was learned. */
import { z } from 'zod';
import { LEARN_DEFAULTS } from '../../learn-defaults.ts';
import { PROBE_DEFAULTS } from '../../probe.ts';
import { bits, count, DAY_MS, text } from './values.ts';

const MINUTE_MS = 60_000;

export const probe = z
  .strictObject({
    timeout: count(PROBE_DEFAULTS.timeout, 1, MINUTE_MS).describe(
      'Milliseconds from the question to its answer; nine tenths of limits.holdTime at the most, so that it ends ahead of it. ' +
        'Where that is not given it is as long as this needs.',
    ),
    atOnce: count(PROBE_DEFAULTS.atOnce, 1, 1_024).describe('Connections at a time; further questions wait.'),
    perDestination: count(PROBE_DEFAULTS.perDestination, 1, 6_000).describe(
      'Connections a minute to an address and port; beyond, the probe has failed.',
    ),
    perClient: count(PROBE_DEFAULTS.perClient, 1, 6_000).describe(
      "Connections a minute for a client's address; beyond, the probe has failed.",
    ),
    ttl: count(PROBE_DEFAULTS.ttl, 0, DAY_MS).describe("Milliseconds that a server's certificates are remembered."),
    negativeTtl: count(PROBE_DEFAULTS.negativeTtl, 0, DAY_MS).describe(
      'Milliseconds that it is remembered that a server shows none.',
    ),
    recheck: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('Share of the answers from memory that a further probe checks afterwards.')
      .meta({ default: PROBE_DEFAULTS.recheck }),
    allowLocal: z
      .boolean()
      .optional()
      .describe('Whether loopback and link-local addresses are probed as well.')
      .meta({ default: PROBE_DEFAULTS.allowLocal }),
    witnesses: count(PROBE_DEFAULTS.witnesses, 0, 16).describe(
      'Gateways of the fleet, each of another network, that are asked the same within the wait when a server shows a key for the first time; where one of them is shown another key, the connection is denied. Fewer that answer are told of.',
    ),
    decoys: count(PROBE_DEFAULTS.decoys, 0, 16).describe(
      'Connections that are begun beside a client\'s at a first contact, in an order that is drawn, all of which have to be shown the same: whoever forges one has to guess which is the client\'s. Takes "source": "client".',
    ),
    mark: bits
      .optional()
      .describe(
        "The one bit of packet marks and connection marks by which the rules let a probe's own packets by; not one that `connmark` or a verdict uses.",
      )
      .meta({ default: '0x400000' }),
    source: z
      .enum(['client', 'gateway', 'auto'])
      .optional()
      .describe(
        "Whose address probes leave with: their client's, which takes the rules that `tlspin rules` prints for it; the gateway's own, but over a bridge whose host has none that leads to the server; or the client's where that is answered, and otherwise the gateway's.",
      )
      .meta({ default: PROBE_DEFAULTS.source }),
  })
  .describe("How servers are asked in their clients' place.");

export const keylog = z
  .strictObject({
    file: text()
      .optional()
      .describe('File that clients write, and that is followed; relative to the configuration file.'),
    socket: text()
      .optional()
      .describe('Unix stream socket that clients write lines to; relative to the configuration file.'),
  })
  .describe('Where clients log their secrets in the format of SSLKEYLOGFILE (RFC 9850): file or socket.');

export const learn = z
  .strictObject({
    file: text().describe('Where the keys that hosts present are recorded; relative to the configuration file.'),
    observations: count(LEARN_DEFAULTS.observations, 1, 100_000).describe(
      'Times that a key has to be seen before it counts as its host\'s; with "then": "enforce" 1 is trust on first use.',
    ),
    spacing: count(LEARN_DEFAULTS.spacing, 0, 2_592_000).describe(
      'Seconds within which a host that shows the same key again is counted once, however many connections there are.',
    ),
    hosts: count(LEARN_DEFAULTS.hosts, 1, 100_000).describe(
      'Hosts that are recorded; beyond, a new one takes the place of one that was seen once only, or is not recorded.',
    ),
    keys: count(LEARN_DEFAULTS.keys, 2, 256).describe(
      'Keys of a host that are recorded, and as many issuers; beyond, the one that was not seen for longest goes.',
    ),
  })
  .describe('What pinsets in the mode "learn" record.');

export type ProbeSection = z.infer<typeof probe>;
export type KeylogSource = z.infer<typeof keylog>;
export type LearnSource = z.infer<typeof learn>;
