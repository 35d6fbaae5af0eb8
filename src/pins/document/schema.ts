/**
 * The shape of a configuration file: which keys there are, which values each takes, what it means and what holds where
 * it is left out. The JSON Schema for editors is written out of this. What values mean together is for the compiler;
 * packet threads never load this file.
 */
import { z } from 'zod';
import { LEARN_DEFAULTS } from '../learn-defaults.ts';
import { LIMIT_DEFAULTS } from '../limits.ts';
import type { LimitName } from '../limits.ts';
import { PROBE_DEFAULTS } from '../probe.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const text = () => z.string();

function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values);
}

const comment = text().optional().describe('For people; ignored.');

const date = text().describe(
  'RFC 3339 date or time, such as 2027-01-31 or 2027-01-31T12:00:00Z. A date begins at 00:00 UTC.',
);

const port = z
  .union([z.int().min(1).max(65_535), text()])
  .describe('A port, such as 443, or a range, such as "8443-8449".');

const action = choice(['accept', 'drop', 'reset', 'tls-alert']).describe(
  'accept; drop: silently; reset: RST to both sides; tls-alert: a fatal alert that the client can read, and RST to the server.',
);

const verdict = z
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

const pinEntry = z
  .union([
    text(),
    z.strictObject({ pin: pinSource, ...pinOptions }),
    z.strictObject({ file: fileReference.shape.file, ...pinOptions }),
  ])
  .describe(
    'A pin: cert-sha1:<hex>, cert-sha256:<hex>, spki-sha256:<base64 or hex> (also sha256//<base64>, sha256/<base64>, pin-sha256="<base64>"), rsa:<hex>, ec:<hex>, ec(P-256):<hex>, dsa:<hex>, ed25519:<hex>, cert:<base64 or hex>, spki:<base64 or hex>, tlsa:<usage> <selector> <matching> <hex>, @list, or { "file": "x.pem" }.',
  );

const match = z
  .strictObject({
    hosts: z
      .array(text())
      .min(1)
      .optional()
      .describe(
        'Server names: exact, "*.x" (one label) or "**.x" (any number of labels, none included). Not together with addresses.',
      ),
    addresses: z.array(text()).min(1).optional().describe('Server addresses: IP or CIDR. Not together with hosts.'),
    ports: z.array(port).min(1).optional().describe('Server ports. Default: any.'),
    clients: z.array(text()).min(1).optional().describe('Client addresses: IP or CIDR. Default: any.'),
  })
  .describe('What the flow must be: keys are ANDed, the values of a list ORed.');

const checks = (defaults: { name: string; validity: string; proofOfPossession: string }) =>
  z
    .strictObject({
      name: choice(['auto', 'on', 'off'])
        .optional()
        .describe('Whether the certificate must carry the name. auto: when the pin that matched is not on the leaf.')
        .meta({ default: defaults.name }),
      validity: choice(['auto', 'on', 'off'])
        .optional()
        .describe('Whether the dates must hold. auto: when the pin that matched is not on the leaf.')
        .meta({ default: defaults.validity }),
      proofOfPossession: choice(['require', 'report', 'off'])
        .optional()
        .describe('Whether the server must prove that it has the key (the signature of ServerKeyExchange).')
        .meta({ default: defaults.proofOfPossession }),
      minVersion: choice(['1.0', '1.1', '1.2', '1.3']).optional().describe('The least TLS version. Default: any.'),
      trust: text()
        .optional()
        .describe('PEM bundle of trusted certificates, one of which the path must end at. Default: none.'),
    })
    .describe('What is checked besides the pins.');

/** One entry a situation: values, meaning, and what holds for pinned and for unpinned flows. */
const SITUATIONS = {
  tls13: [
    ['probe', 'probe-else-accept', 'keylog', 'keylog-else-probe', 'accept', 'deny'],
    "The certificate is invisible: TLS 1.3. probe: the server is asked for it in the client's place; keylog: it is decrypted with the secret that the client logs. Without an answer or a secret: deny, or what follows -else-.",
    'probe',
    'accept',
  ],
  resumed: [
    ['bound', 'bound-else-probe', 'accept', 'deny'],
    "A session is resumed without a certificate. bound: only one that was given out in a flow whose pins matched. bound-else-probe: of others the server is asked in the client's place.",
    'bound-else-probe',
    'accept',
  ],
  earlyData: [
    ['hold', 'accept', 'deny'],
    'The client sends data with its first flight (0-RTT). hold: until the decision.',
    'hold',
    'accept',
  ],
  noSni: [
    ['accept', 'deny'],
    "The client gives no server name on a host pinset's port. accept: address pinsets still apply.",
    'accept',
    'accept',
  ],
  ech: [
    ['outer-name', 'accept', 'deny'],
    'The client hello is encrypted, or looks it. outer-name: the visible name counts.',
    'outer-name',
    'accept',
  ],
  rawPublicKey: [
    ['pin', 'accept', 'deny'],
    'A public key instead of a certificate. pin: SPKI and key pins apply.',
    'pin',
    'accept',
  ],
  anonymous: [['accept', 'deny'], 'A cipher suite without authentication.', 'deny', 'accept'],
  psk: [['accept', 'deny'], 'A cipher suite with a pre-shared key and no certificate.', 'deny', 'accept'],
  notTls: [['accept', 'deny'], 'What the client says is neither TLS nor a way to it.', 'deny', 'accept'],
  starttls: [
    ['inspect', 'accept', 'deny'],
    'TLS begins inside another protocol. inspect: as everywhere.',
    'inspect',
    'accept',
  ],
  quic: [
    ['reject', 'drop', 'accept'],
    'UDP to the same ports: `tlspin rules` writes it into the rules.',
    'reject',
    'accept',
  ],
  midstream: [['accept', 'deny'], 'The flow is older than the rules.', 'deny', 'accept'],
  parseError: [['accept', 'deny'], 'The bytes are not what the protocol allows, or a limit was met.', 'deny', 'accept'],
  incomplete: [
    ['accept', 'deny'],
    'The handshake does not come to its decision in time, or only one direction is seen. Of a pinned flow no reason to accept it.',
    'deny',
    'accept',
  ],
  overload: [['accept', 'deny'], 'There is no room to look at the flow.', 'deny', 'accept'],
} as const;

export type SituationName = keyof typeof SITUATIONS;
export const SITUATION_NAMES = Object.keys(SITUATIONS) as SituationName[];

/** What holds where a file says nothing. */
export function situationDefault(name: SituationName, kind: 'pinned' | 'unpinned'): string {
  return SITUATIONS[name][kind === 'pinned' ? 2 : 3];
}

export const CHECK_DEFAULTS = {
  pinned: { name: 'auto', validity: 'auto', proofOfPossession: 'require' },
  unpinned: { name: 'off', validity: 'off', proofOfPossession: 'off' },
} as const;

type SituationShape = {
  [name in SituationName]: z.ZodOptional<z.ZodEnum<{ [value in (typeof SITUATIONS)[name][0][number]]: value }>>;
};

function situations(kind: 'pinned' | 'unpinned') {
  const shape = Object.fromEntries(
    SITUATION_NAMES.map((name) => [
      name,
      choice(kind === 'pinned' && name === 'incomplete' ? ['deny'] : SITUATIONS[name][0])
        .optional()
        .describe(SITUATIONS[name][1])
        .meta({ default: situationDefault(name, kind) }),
    ]),
  ) as unknown as SituationShape;
  return { ...shape, checks: checks(CHECK_DEFAULTS[kind]).optional() };
}

const pinset = z
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

const list = z
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

const rule = z
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

const limits = z
  .strictObject(
    Object.fromEntries(
      Object.entries(LIMIT_DEFAULTS).map(([name, value]) => [name, z.int().min(1).optional().meta({ default: value })]),
    ) as { [name in LimitName]: z.ZodOptional<z.ZodInt> },
  )
  .describe('Bounds of what grows with what peers send.');

const bits = z.union([text(), z.int().min(0).max(0xffff_ffff)]);

const connmark = z
  .strictObject({
    mask: bits.optional().meta({ default: '0x3000000' }),
    accept: bits.optional().meta({ default: '0x1000000' }),
    deny: bits.optional().meta({ default: '0x2000000' }),
    pending: bits.optional().meta({ default: '0x3000000' }),
    told: bits
      .optional()
      .describe(
        'The one bit of packet marks by which the rules know packets whose verdict sets the others, where a verdict cannot carry them; not one of `mask`.',
      )
      .meta({ default: '0x4000000' }),
    route: choice(['auto', 'verdict', 'packet-mark']).optional().meta({ default: 'auto' }),
  })
  .describe("The engine's own bits of the connection mark.");

const count = (defaultValue: number, least: number, most: number) =>
  z.int().min(least).max(most).optional().meta({ default: defaultValue });

const probe = z
  .strictObject({
    timeout: count(PROBE_DEFAULTS.timeout, 1, MINUTE_MS).describe(
      'Milliseconds from the question to its answer; nine tenths of limits.holdTime at the most, so that it ends ahead of it.',
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
    mark: bits
      .optional()
      .describe(
        "The one bit of packet marks and connection marks by which the rules let a probe's own packets by; not one that `connmark` or a verdict uses.",
      )
      .meta({ default: '0x400000' }),
  })
  .describe("How servers are asked in their clients' place.");

const keylog = z
  .strictObject({
    file: text()
      .optional()
      .describe('File that clients write, and that is followed; relative to the configuration file.'),
    socket: text()
      .optional()
      .describe('Unix stream socket that clients write lines to; relative to the configuration file.'),
  })
  .describe('Where clients log their secrets in the format of SSLKEYLOGFILE (RFC 9850): file or socket.');

const learn = z
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

export const configurationSchema = z
  .strictObject({
    $schema: text().optional(),
    version: z.literal(1).describe('Version of this format.'),
    strict: z.boolean().optional().describe('Warnings are errors.').meta({ default: false }),
    pinsets: z.array(pinset).optional(),
    lists: z.record(text(), list).optional().describe('Lists by name or number.'),
    rules: z.array(rule).optional().describe('From top to bottom; the first whose verdict is not accept is final.'),
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
    log: z
      .strictObject({
        unpinned: z
          .boolean()
          .optional()
          .describe('Whether flows without a pinset are logged.')
          .meta({ default: false }),
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
      })
      .optional(),
    control: z
      .strictObject({
        socket: text()
          .optional()
          .describe('Path of the control socket, relative to the configuration file. Default: none.'),
        mode: text().optional().describe('Its permissions, octal.').meta({ default: '0600' }),
      })
      .optional(),
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

export type Configuration = z.infer<typeof configurationSchema>;
export type PinsetSource = z.infer<typeof pinset>;
export type PinEntry = z.infer<typeof pinEntry>;
export type MatchSource = z.infer<typeof match>;
export type VerdictSource = z.infer<typeof verdict>;
export type ListSource = z.infer<typeof list>;
export type RuleSource = z.infer<typeof rule>;
export type PortSource = z.infer<typeof port>;
export type ConnmarkSource = z.infer<typeof connmark>;
export type ProbeSource = z.infer<typeof probe>;
export type LearnSource = z.infer<typeof learn>;
export type KeylogSource = z.infer<typeof keylog>;
export type SituationsSource = { [name in SituationName]?: string | undefined } & { checks?: ChecksSource | undefined };
export type ChecksSource = z.infer<ReturnType<typeof checks>>;

/** JSON Schema (2020-12) of a configuration file, for editors. */
export function configurationJsonSchema(): unknown {
  return z.toJSONSchema(configurationSchema, { io: 'input', target: 'draft-2020-12' });
}
