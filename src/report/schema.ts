/**
 * The shape of the log's records: which fields there are, and what each says. The JSON Schema for their readers is
 * written out of this, and tests hold every record to it. What makes records never loads this file.
 */
import { z } from 'zod';

import type { Action, Evidence, Mode, Reason } from '../judge/events.ts';
import { MEANINGS } from './reasons.ts';

export function recordJsonSchema(): unknown {
  return z.toJSONSchema(recordSchema, { target: 'draft-2020-12' });
}

const text = (description: string) => z.string().describe(description);
const textOrNull = (description: string) => z.string().nullable().describe(description);
const count = (description: string) => z.int().min(0).describe(description);
const choice = <const T extends string>(values: readonly T[], description: string) =>
  z.enum(values as [T, ...T[]]).describe(description);

const ACTIONS: readonly Action[] = ['accept', 'drop', 'reset', 'tls-alert', 'reject'];
const MODES: readonly Mode[] = ['enforce', 'report-only', 'learn'];
const EVIDENCE: readonly Evidence[] = ['observed', 'resumed', 'probed', 'decrypted', 'none'];
const REASONS = Object.keys(MEANINGS) as Reason[];

const timestamp = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000$/u)
  .describe('When, in UTC, to the microsecond: 2026-11-21T19:31:36.120123+0000.');
const pcapFilename = text('Of a capture: its file, as it was named on the command line.').optional();
const host = text('Name of the machine; absent for captures.').optional();
const config = text('Hash of the configuration in force; the `start` or `config` record with the same one says which.');
const action = choice(ACTIONS, 'What was done. reject: a datagram, which its sender is told by ICMP.');
const reason = choice(REASONS, 'Why; `tlspin ctl explain` says each in a sentence.');

const endpoints = {
  src_ip: text('The client, whoever sent the packet that decided.'),
  src_port: count('Its port.'),
  dest_ip: text('The server.'),
  dest_port: count('Its port.'),
};

const verdict = z.strictObject({
  action,
  reason,
  pinset: textOrNull('The pinset that decided.'),
  mode: choice(MODES, 'In which mode it was.'),
  evidence: choice(
    EVIDENCE,
    'What it rests on. observed: the certificate in clear; probed: what the server showed to a probe; decrypted: the certificate, by a logged secret; resumed: a session whose beginning was seen; none: no certificate.',
  ),
  matched: textOrNull('The canonical spelling of the pin that decided.'),
  connmark: textOrNull('`value/mask` of what was written to the connection’s mark.'),
  held_us: count('For how long packets of the flow waited, in microseconds.'),
  config,
  took_us: count(
    'From the client’s first octets of TLS to the decision, in microseconds; absent where it was not seen to begin.',
  ).optional(),
  packets: count(
    'Of `midstream`: how many packets the record tells of. Past the first few of ten seconds they are rolled up, by server; client and flow are then those of one of them.',
  ).optional(),
  allowed_by: text('The setting that accepts, where no evidence does.').optional(),
  would: choice(ACTIONS, 'In report-only and learn: what enforce had done.').optional(),
  others: z
    .array(
      z.strictObject({
        pinset: text('Its name.'),
        reason: choice(REASONS, 'Why.'),
        would: choice(ACTIONS, 'What it alone had done.'),
      }),
    )
    .optional()
    .describe('The other pinsets that had a say.'),
  rules: z
    .array(
      z.strictObject({
        index: count('Its place among `rules` of the configuration, from 0.'),
        list: text('The list that it looks into.').optional(),
        entry: text('The entry of it that a certificate satisfies, in its canonical spelling.').optional(),
      }),
    )
    .optional()
    .describe('The rules that the certificates satisfy; where the reason is `rule`, the last of them decided.'),
  fault: text(
    'Dotted code of what was wrong with the octets, the limit that was reached, or the probe that failed.',
  ).optional(),
  gap: z
    .array(z.enum(['client', 'server']))
    .optional()
    .describe('Of a capture: whose octets were not captured, where reading went on behind them.'),
  starttls: text('What was spoken ahead of TLS, such as smtp.').optional(),
  fronted: text('The name that a proxy was asked for, where TLS asks for another or none.').optional(),
});

const name = (description: string) => textOrNull(`${description} Null where it cannot be read.`);

const certificate = z.strictObject({
  subject: name('RFC 4514.'),
  issuer: name('RFC 4514.'),
  serial: name('0A:1B:….'),
  not_before: name('2026-11-21T19:31:36, UTC.'),
  not_after: name('2027-11-21T19:31:36, UTC.'),
  sha1: text('Of the DER as it was sent, in hex.'),
  sha256: text('The same by SHA-256.'),
  spki_sha256: name('Of the public key, base64: what a pin `spki-sha256:` compares.'),
  public_key: name('The key itself, as a pin `rsa:`, `ec:` or `dsa:` spells it.'),
  der: text('The whole certificate, base64, where "log": { "certificates": "full" } asks for it.').optional(),
});

const tls = z.strictObject({
  sni: text('The server name that the client asked for.').optional(),
  version: textOrNull('Negotiated, such as TLS 1.2; null where it was not seen.'),
  cipher: text('The cipher suite, by its IANA name.').optional(),
  client_alpns: z.array(z.string()).optional().describe('What the client offers to speak.'),
  session_resumed: z.boolean().describe('Whether the session is an older one.'),
  subject: name('Of the leaf.').optional(),
  issuerdn: name('Of the leaf.').optional(),
  serial: name('Of the leaf.').optional(),
  fingerprint: text('SHA-1 of the leaf, with colons.').optional(),
  notbefore: name('Of the leaf.').optional(),
  notafter: name('Of the leaf.').optional(),
  ja4: text('Fingerprint of the client’s hello.').optional(),
  certificates: z.array(certificate).describe('As the server presented them, the leaf first.'),
  client_certificates: z.array(certificate).optional().describe('Those of the client, where it showed any.'),
});

const verdictRecord = z
  .strictObject({
    event_type: z.literal('verdict'),
    timestamp,
    host,
    flow_id: count(
      'Number of the flow, which no other run of this machine has; 0 of packets of which nobody knows the flow.',
    ),
    pcap_filename: pcapFilename,
    in_iface: text('The interface that leads to the client.').optional(),
    out_iface: text('The interface that leads to the server.').optional(),
    ...endpoints,
    proto: choice(['TCP', 'UDP'], 'What carries it.'),
    community_id: text(
      'Community ID, version 1, seed 0: what Suricata and Zeek call the same flow. Not of a capture.',
    ).optional(),
    app_proto: choice(['tls', 'quic', 'dtls'], 'What was spoken, where it is known.').optional(),
    pcap_cnt: count('Of a capture: number of the frame with which the flow began.').optional(),
    verdict,
    tls: tls.optional(),
  })
  .describe('What was decided about a flow, and why.');

const anomalyRecord = z
  .strictObject({
    event_type: z.literal('anomaly'),
    timestamp,
    host,
    flow_id: count('Number of the flow; 0 where it is of none.'),
    pcap_filename: pcapFilename,
    src_ip: endpoints.src_ip.optional(),
    src_port: endpoints.src_port.optional(),
    dest_ip: endpoints.dest_ip.optional(),
    dest_port: endpoints.dest_port.optional(),
    anomaly: z.strictObject({
      event: text('Dotted code, which does not change.'),
      severity: z
        .enum(['degraded', 'unprotected'])
        .optional()
        .describe('Of a condition of protection, which begins and ends: how bad it is.'),
      state: z.enum(['begin', 'end']).optional().describe('Whether it begins or ends.'),
      subject: text('The pinset, list, queue or destination of the log; empty where there is but one.').optional(),
      detail: text('The same for people, with names and numbers.'),
    }),
  })
  .describe('Something that operators should know and that is no decision.');

const configRecord = z
  .strictObject({
    event_type: z.literal('config'),
    timestamp,
    host,
    config: z.strictObject({
      change: choice(['reload', 'list', 'learn', 'pins', 'fleet'], 'What kind of change.'),
      by: text('Who asked: a signal, a file’s change, or the peer of the control socket.'),
      file: text('The file that it is about.'),
      result: choice(['in-force', 'refused'], 'refused: all is as it was.'),
      config,
      generation: count('How many have been in force since the start.'),
      error: text('Why it was refused.').optional(),
      messages: z.array(z.string()).optional().describe('`file:line:column: severity: text`.'),
      changes: z.looseObject({}).optional().describe('What differs, by the keys of the configuration.'),
    }),
  })
  .describe('A change of what is in force, or one that was refused.');

const answerRecord = z
  .strictObject({
    event_type: z.literal('answer'),
    timestamp,
    host,
    answer: z.strictObject({
      answer: choice(
        ['accept', 'deny', 'snooze', 'reopen'],
        'What was answered. reopen: it waits for an answer again.',
      ),
      entry: text('Number of the entry of `tlspin inbox`: the same for a pinset, host and key.'),
      pinset: text('The pinset that refused.'),
      server: text('The server name; ADDRESS:PORT of one that was asked for none.'),
      key: text('What it was refused for, as a pin.'),
      by: text('Who answered.'),
      comment: text('What they said to it.').optional(),
      until: text('Of snooze: the end of it, ISO 8601.').optional(),
      pin: text('Of accept: what was written.').optional(),
      list: text('Of accept: the list that it was written to; absent where it was learned.').optional(),
    }),
  })
  .describe('What somebody has answered to a certificate that had changed.');

const statsRecord = z
  .strictObject({
    event_type: z.literal('stats'),
    timestamp,
    host,
    pcap_filename: pcapFilename,
    stats: z.looseObject({}).describe('Counters since the start; of a capture, what of it was not read.'),
  })
  .describe('Counters.');

const startRecord = z
  .strictObject({
    event_type: z.literal('start'),
    timestamp,
    host,
    start: z.strictObject({
      version: text('Of tlspin.'),
      node: text('Of Node.js.'),
      host: text('The machine’s name.'),
      pid: count('Its process.'),
      file: text('The configuration.'),
      config,
      queues: z.array(z.int().min(0)).describe('The queues that it is about to bind.'),
    }),
  })
  .describe('The engine is there: ahead of its first verdict.');

const stopRecord = z
  .strictObject({
    event_type: z.literal('stop'),
    timestamp,
    host,
    stop: z.strictObject({
      by: text('Who asked, or what failed.'),
      uptime: count('Seconds.'),
      config,
      written: count('Records that were written since the start.'),
      dropped: count('Records that were lost.'),
    }),
  })
  .describe('The engine has ended in order: the last record of a run. A run without one was killed, or died.');

export const recordSchema = z
  .discriminatedUnion('event_type', [
    verdictRecord,
    anomalyRecord,
    configRecord,
    answerRecord,
    statsRecord,
    startRecord,
    stopRecord,
  ])
  .meta({ title: 'A record of tlspin’s log', description: 'One JSON object a line.' });

export type VerdictRecord = z.infer<typeof verdictRecord>;
export type AnswerRecord = z.infer<typeof answerRecord>;
