/** Programs of the adversary's at random: those of an attacker, and those of a path that is merely bad. */
import fc from 'fast-check';

import type { Edit } from './editor.ts';
import { PROTOCOLS } from './forger/dialogues.ts';
import { JUNK_NAMES } from './editor.ts';
import type { ClientMove, Encounter, Happening, Opening, PathMove, Program, ServerMove, Setting } from './moves.ts';

const often = <T>(common: T, ...others: readonly T[]) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(common) }, { weight: 2, arbitrary: fc.constantFrom(common, ...others) });

const setting: fc.Arbitrary<Setting> = fc.record({
  pinned: often<Setting['pinned']>('leaf', 'issuer'),
  tls13: fc.constantFrom<Setting['tls13'][]>(
    'probe',
    'probe-else-accept',
    'keylog',
    'keylog-else-probe',
    'keylog-else-probe',
    'deny',
  ),
  resumed: fc.constantFrom<Setting['resumed'][]>('bound', 'bound-else-probe', 'deny'),
  noSni: often<Setting['noSni']>('deny', 'accept'),
  action: often<Setting['action']>('tls-alert', 'reset', 'drop'),
  enforcedBy: often<Setting['enforcedBy']>('host', 'address'),
  prefers: fc.constantFrom<Setting['prefers'][]>('first', 'last'),
  widePorts: fc.boolean(),
});

const kind = fc.constantFrom<('ec' | 'rsa')[]>('ec', 'ec', 'rsa');

const client: fc.Arbitrary<ClientMove> = fc.record({
  version: fc.constantFrom<ClientMove['version'][]>('TLSv1.2', 'TLSv1.3', 'any'),
  offers: fc.oneof(
    { weight: 3, arbitrary: fc.constant<ClientMove['offers']>('nothing') },
    {
      weight: 3,
      arbitrary: fc.constantFrom<ClientMove['offers'][]>('own', 'forger-ticket', 'forger-id', 'forger-psk'),
    },
  ),
  sni: fc.oneof({ weight: 15, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  suites: often<ClientMove['suites']>('usual', 'rsa'),
});

const chain = fc.constantFrom(
  'forged',
  'forged',
  'leaf',
  'forged-genuine',
  'genuine-forged',
  'genuine',
  'many' as const,
);

type Hand12Move = Extract<ServerMove, { server: 'hand12' }>;

const hand12: fc.Arbitrary<Hand12Move> = fc.record({
  server: fc.constant('hand12' as const),
  kind,
  chain,
  random: fc.constantFrom('fresh', 'fresh', 'hrr', 'downgrade', 'zero' as const),
  exchange: fc.constantFrom('ecdhe', 'rsa' as const),
  signer: often<'forged' | 'genuine'>('forged', 'forged'),
  sessionId: fc.constantFrom('none', 'fresh', 'echo' as const),
  ticket: fc.boolean(),
  resumes: fc.boolean(),
  nonce: fc.constantFrom('zero', 'random', 'server-hello', 'certificate', 'hello-request', 'done', 'finished' as const),
  isEarly: fc.boolean(),
  inserted: fc.array(
    fc.record({
      at: fc.nat(4),
      message: fc.constantFrom(
        'genuine-certificate',
        'forged-certificate',
        'status',
        'ticket',
        'done',
        'hello-request',
        'empty' as const,
      ),
    }),
    { maxLength: 2 },
  ),
});

const hand13: fc.Arbitrary<ServerMove> = fc.record({
  server: fc.constant('hand13' as const),
  kind,
  chain,
  recordSize: fc.constantFrom(16_000, 16_000, 300, 3, 1),
  padding: fc.constantFrom(0, 0, 1, 200),
  changes: fc.constantFrom(1, 0, 2, 20),
  retries: fc.boolean(),
  asksForCertificate: often(false, true),
  inserted: often<'none' | 'genuine-certificate' | 'padding' | 'unknown'>(
    'none',
    'genuine-certificate',
    'padding',
    'unknown',
  ),
  alert: often(false, true),
});

const real: fc.Arbitrary<ServerMove> = fc.record({
  server: fc.constant('real' as const),
  whose: fc.constantFrom('forged', 'forged', 'genuine' as const),
  kind,
  version: fc.constantFrom('any', 'TLSv1.2', 'TLSv1.3' as const),
  tickets: fc.boolean(),
});

const two: fc.Arbitrary<ServerMove> = fc.record({
  server: fc.constant('two' as const),
  kind,
  version: fc.constantFrom('TLSv1.2', 'TLSv1.3' as const),
  how: fc.constantFrom('ghost', 'switch' as const),
  units: fc.constantFrom(5, 60, 130, 300, 900, 1200, 1500, 2000),
});

const at = fc.nat(8);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ edit: fc.constant('insert' as const), at, what: fc.constantFrom(...JUNK_NAMES) }),
  },
  { weight: 1, arbitrary: fc.record({ edit: fc.constantFrom('drop', 'repeat', 'swap' as const), at }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant('flip' as const), at, octet: fc.nat(200) }) },
  {
    weight: 3,
    arbitrary: fc.record({ edit: fc.constant('records' as const), at, size: fc.constantFrom(1, 3, 4, 5, 40, 300) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      edit: fc.constant('version' as const),
      at,
      version: fc.constantFrom(0x0300, 0x0301, 0x0304, 0x0200, 0xfefd),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ edit: fc.constantFrom('joined', 'ticket', 'session-id', 'retry-random' as const) }),
  },
);

const sizes = fc.oneof(
  { weight: 3, arbitrary: fc.constant([1400]) },
  { weight: 2, arbitrary: fc.array(fc.constantFrom(1, 5, 6, 9, 40, 200, 700, 1400), { minLength: 1, maxLength: 5 }) },
);

const side = fc.constantFrom('client', 'server', 'server' as const);
const segmentNumber = fc.nat(8);
const badPath: fc.Arbitrary<PathMove> = fc.record({
  side,
  at: segmentNumber,
  what: fc.constantFrom('lost', 'lost-behind', 'twice', 'later', 'much-later', 'overlap' as const),
});
const hostilePath: fc.Arbitrary<PathMove> = fc.oneof(
  { weight: 2, arbitrary: badPath },
  {
    weight: 1,
    arbitrary: fc.record({
      side: fc.constant('server' as const),
      at: segmentNumber,
      what: fc.constantFrom('conflict-before', 'conflict-after', 'gso', 'fin', 'reset-before' as const),
    }),
  },
);

const moment = fc.integer({ min: 1, max: 40 });
const happening: fc.Arbitrary<Happening> = fc.record({
  at: moment,
  what: fc.constantFrom<Happening['what'][]>(
    'reload',
    'reload',
    'change',
    'list',
    'restart',
    'wait-31',
    'wait-250',
    'wait-3100',
    'wait-11000',
  ),
});

const after = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(20) });

const hostile: fc.Arbitrary<Encounter> = fc.record({
  client,
  server: fc.oneof(
    { weight: 3, arbitrary: hand12 },
    { weight: 3, arbitrary: hand13 },
    { weight: 4, arbitrary: real },
    { weight: 1, arbitrary: two },
  ),
  opening: often<Opening>(
    'plain',
    'crossing',
    'crossing-first',
    'crossing-forgotten',
    'two-numbers',
    'multipath',
    'fast-open',
    'fast-open-refused',
    'fast-open-answered',
    'fast-open-ahead',
  ),
  preamble: fc.oneof(
    { weight: 4, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.record({
        protocol: fc.constantFrom(...PROTOCOLS),
        manner: fc.constantFrom('honest', 'ahead', 'answers' as const),
      }),
    },
  ),
  edits: fc.oneof(
    { weight: 2, arbitrary: fc.constant<Edit[]>([]) },
    { weight: 3, arbitrary: fc.array(edit, { maxLength: 3 }) },
  ),
  sizes,
  clientSizes: fc.constantFrom([1400], [1400], [100, 1400], [1, 5, 40]),
  path: fc.oneof(
    { weight: 2, arbitrary: fc.constant<PathMove[]>([]) },
    { weight: 2, arbitrary: fc.array(hostilePath, { maxLength: 4 }) },
  ),
  happenings: fc.oneof(
    { weight: 2, arbitrary: fc.constant<Happening[]>([]) },
    { weight: 3, arbitrary: fc.array(happening, { maxLength: 3 }) },
  ),
  prober: fc.record({ answer: fc.constantFrom('genuine', 'genuine', 'forged', 'failed', 'never' as const), after }),
  secret: fc.record({ which: fc.constantFrom('right', 'right', 'wrong', 'none' as const), after }),
  examiner: fc.record({ after }),
});

/** What makes sense together, and everything else about it at random: each follows one thing that an engine may get wrong. */
const plots: readonly fc.Arbitrary<Program>[] = [
  // A session of the forger's is taken for one that the bank gave out, in a handshake that he only relays.
  fc
    .tuple(setting, hostile, hostile, hand12, edit, fc.constantFrom('ticket', 'session-id' as const))
    .map(([how, first, second, by, another, planted]) => ({
      setting: { ...how, resumed: how.resumed === 'deny' ? 'bound' : how.resumed },
      connections: [
        {
          ...first,
          client: { ...first.client, version: 'TLSv1.2', offers: 'nothing', sni: true },
          server: {
            server: 'real',
            whose: 'genuine',
            kind: by.kind,
            version: 'TLSv1.2',
            tickets: planted === 'ticket',
          },
          edits: [{ edit: planted }, ...(another.edit === 'insert' ? [another] : [])],
          preamble: null,
        },
        resumption(second, by, planted === 'ticket' ? 'forger-ticket' : 'forger-id'),
      ],
    })),
  // A session of the forger's, in whatever hellos.
  fc
    .tuple(setting, hostile, hand12, fc.constantFrom('forger-ticket', 'forger-id' as const))
    .map(([how, each, by, offers]) => ({ setting: how, connections: [resumption(each, by, offers)] })),
  // His whole flight ahead of what it answers.
  fc.tuple(setting, hostile, hand12).map(([how, each, by]) => ({
    setting: how,
    connections: [
      {
        ...each,
        client: { ...each.client, version: 'TLSv1.2', offers: 'nothing', suites: 'rsa', sni: true },
        server: {
          ...by,
          exchange: 'rsa',
          isEarly: true,
          resumes: false,
          chain: 'forged',
          inserted: [],
          random: 'fresh',
        },
        edits: each.edits.slice(0, 1),
      },
    ],
  })),
  // What a key log cannot read, or not in time, with a probe behind it and the gateway changing meanwhile.
  fc
    .tuple(setting, hostile, hand13, fc.boolean(), fc.constantFrom('genuine', 'never', 'failed' as const))
    .map(([how, each, by, isPsk, answer]) => ({
      setting: { ...how, tls13: how.tls13 === 'deny' ? 'keylog-else-probe' : how.tls13 },
      connections: [
        {
          ...each,
          client: { ...each.client, version: 'TLSv1.3', offers: isPsk ? 'forger-psk' : 'nothing', sni: true },
          server: isPsk ? { server: 'real', whose: 'forged', kind: 'ec', version: 'TLSv1.3', tickets: true } : by,
          edits: each.edits.slice(0, 1),
          preamble: null,
          prober: { ...each.prober, answer },
        },
      ],
    })),
];

function resumption(each: Encounter, by: Hand12Move, offers: 'forger-ticket' | 'forger-id'): Encounter {
  return {
    ...each,
    client: { ...each.client, version: 'TLSv1.2', offers, sni: true },
    server: { ...by, resumes: true, inserted: by.inserted.slice(0, 1) },
    edits: each.edits.slice(0, 1),
    preamble: null,
  };
}

/** Whatever an attacker does, in one connection or in several. */
export const hostileProgram: fc.Arbitrary<Program> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      setting,
      connections: fc.oneof(
        { weight: 3, arbitrary: fc.array(hostile, { minLength: 1, maxLength: 1 }) },
        { weight: 2, arbitrary: fc.array(hostile, { minLength: 2, maxLength: 3 }) },
      ),
    }),
  },
  ...plots.map((arbitrary) => ({ weight: 1, arbitrary })),
);

/** The bank's own server, and a path that loses, repeats and reorders; nothing that the policy itself would deny. */
export const genuineProgram: fc.Arbitrary<Program> = setting
  .filter(({ tls13 }) => tls13 !== 'deny')
  .chain((how) =>
    fc.record({
      setting: fc.constant({ ...how, resumed: how.resumed === 'deny' ? ('bound' as const) : how.resumed }),
      connections: fc.array(genuine(how), { minLength: 1, maxLength: 3 }),
    }),
  );

function genuine({ tls13 }: Setting): fc.Arbitrary<Encounter> {
  const encounter: fc.Arbitrary<Encounter> = fc.record({
    client: fc.record({
      version: fc.constantFrom<ClientMove['version'][]>('TLSv1.2', 'TLSv1.3', 'any'),
      offers: fc.constantFrom<ClientMove['offers'][]>('nothing', 'own'),
      sni: fc.constant(true),
      suites: often<ClientMove['suites']>('usual', 'rsa'),
    }),
    server: real.map((move) => ({ ...move, whose: 'genuine' as const })),
    opening: often<Opening>('plain', 'multipath', 'fast-open', 'fast-open-refused', 'fast-open-answered'),
    preamble: fc.oneof(
      { weight: 4, arbitrary: fc.constant(null) },
      {
        weight: 1,
        arbitrary: fc.record({
          protocol: fc.constantFrom(...PROTOCOLS),
          manner: fc.constant('honest' as const),
        }),
      },
    ),
    edits: fc.constant([]),
    sizes,
    clientSizes: fc.constantFrom([1400], [100, 1400], [1, 5, 40]),
    path: fc.array(badPath, { maxLength: 4 }),
    happenings: fc.constant([]),
    prober: fc.record({ answer: fc.constant('genuine' as const), after: fc.nat(6) }),
    secret: fc.record({ which: fc.constant('right' as const), after: fc.nat(3) }),
    examiner: fc.record({ after: fc.nat(3) }),
  });
  return (
    encounter
      .filter(
        ({ client: c, server: s }) =>
          s.server === 'real' && !(c.version !== 'any' && s.version !== 'any' && c.version !== s.version),
      )
      // A session of TLS 1.3 shows no certificate to a key log.
      .map((each) =>
        tls13.startsWith('keylog') && each.client.version !== 'TLSv1.2'
          ? { ...each, client: { ...each.client, offers: 'nothing' as const } }
          : each,
      )
  );
}
