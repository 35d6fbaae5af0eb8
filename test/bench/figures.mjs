/**
 * What is measured, and what is to be reached. A figure is a ratio of two sides (or three) that are measured in turn, in
 * each round anew; `goal` null: shown for the whole picture, not held to anything.
 *
 *   reached   where NOTES.md says what stands in the way of the goal: what it comes to, so that no change loses it unseen;
 *             by the values of its sides where the machine has a part in it
 *   longOnly  says nothing in the short form
 *   sides   what is compared: name in the table -> contender (lab.mjs); `extra` ones only in the long form
 *   visit   one measurement of the side that is in place; figures with the same one share what it measures
 *   warmUp  a visit by which engines are made warm first, where it is not the recorded handshake
 *   value   what is shown of it
 *   ratio   of a round, by the values of its sides
 */
import { measureInspection, measureThreads } from './inspect.mjs';
import { measureLists } from './lists.mjs';
import { measureMemory } from './memory.mjs';
import { measureReloads, measureStart } from './resident.mjs';

const ENGINE = { accept: 'accept-all', tlspin: 'tlspin:pinned' };
const BINDINGS = { classic: 'classic', 'npm nfqueue': 'npm-nfqueue', 'node-nfqueue': 'node-nfqueue' };
const EVERYBODY = {
  'no queue': 'none',
  conntrack: 'conntrack',
  'accept, no conntrack': 'accept-all-bare',
  ...BINDINGS,
};

/** What is left of a figure without an engine: in C, in Node, and there with a record of each connection. */
const FLOOR = { accept: 'accept-all', javascript: 'javascript', 'javascript, record': 'javascript-record' };
const SURICATA = { suricata: 'suricata', tlspin: 'tlspin:pinned' };

const visits = (kind, atOnce) => (lab, pace) => lab.visit(kind, { atOnce, ...pace });
const perSecond = (count) => (outcome) => outcome[count] / outcome.seconds;
const against =
  (yardstick, of = 'tlspin') =>
  (values) =>
    values[of] / values[yardstick];
const atLeast = (bound) => ({ sense: 'at least', bound });
const atMost = (bound) => ({ sense: 'at most', bound });

const visitTls13 = (lab, { seconds }) => lab.visitNginx('1.3', { atOnce: 4, seconds });
const visitFirst = (lab) => lab.visitFirst();

const handshakes = { unit: 'handshakes/s', value: perSecond('handshakes'), ratio: against('accept') };
const bulk = { unit: 'Gbit/s', value: (outcome) => (outcome.octets * 8) / outcome.seconds / 1e9 };
const SURICATA_SINGLE = visits('handshake', 1);
const latency = { unit: 'µs', visit: visits('handshake', 1) };

/** What the queue adds to a handshake, against what it adds with accept-all. */
const added = (values) => (values.tlspin - values['no queue']) / (values.accept - values['no queue']);

export const FIGURES = [
  {
    name: 'handshakes-pinned',
    title: 'handshakes/s, pinned and matching, 64 at once, against accept-all.c',
    ...handshakes,
    goal: atLeast(0.6),
    reached: 0.3,
    sides: ENGINE,
    extra: { ...EVERYBODY, 'without proof': 'tlspin:unproven', 'without probes': 'tlspin:unprobed' },
    visit: visits('handshake', 64),
  },
  {
    name: 'handshakes-twofold',
    title: 'handshakes/s, pinned and matching, 64 at once, two queues, against accept-all.c',
    ...handshakes,
    goal: null,
    sides: { accept: 'accept-all', tlspin: 'tlspin:pinned:twofold' },
    visit: visits('handshake', 64),
  },
  {
    name: 'handshakes-pinned-single',
    title: 'handshakes/s, pinned and matching, one after the other, against accept-all.c',
    ...handshakes,
    goal: atLeast(1),
    reached: 0.27,
    sides: ENGINE,
    extra: EVERYBODY,
    visit: visits('handshake', 1),
  },
  {
    name: 'handshakes-new',
    title: 'handshakes/s, every certificate new, 64 at once, against accept-all.c',
    ...handshakes,
    goal: atLeast(0.85),
    reached: 0.25,
    sides: ENGINE,
    extra: { 'without proof': 'tlspin:unproven' },
    visit: visits('new-certificate', 64),
  },
  {
    name: 'handshakes-unproven',
    title: 'handshakes/s, pinned and matching without proof, 64 at once, against accept-all.c',
    ...handshakes,
    goal: atLeast(0.85),
    longOnly: true,
    sides: { accept: 'accept-all', tlspin: 'tlspin:unproven' },
    extra: { ...FLOOR, suricata: 'suricata' },
    visit: visits('handshake', 64),
  },
  {
    name: 'handshakes-unpinned',
    title: 'handshakes/s, of no pinset, 64 at once, against accept-all.c',
    ...handshakes,
    goal: atLeast(1),
    reached: 0.45,
    sides: { accept: 'accept-all', tlspin: 'tlspin:unpinned' },
    extra: FLOOR,
    visit: visits('handshake', 64),
  },
  // None where every certificate is new: its rule names one, and refuses the others.
  ...[
    ['pinned', 'pinned and matching, 64 at once', 1.5, visits('handshake', 64)],
    ['p256', 'the same with a key of P-256', 1.2, visits('p256', 64)],
    ['pinned-single', 'pinned and matching, one after the other', 1, SURICATA_SINGLE],
  ].map(([name, words, bound, visit]) => ({
    name: `suricata-${name}`,
    title: `handshakes/s, ${words}, against Suricata with one rule on name and fingerprint`,
    ...handshakes,
    ratio: against('suricata'),
    goal: atLeast(bound),
    longOnly: true,
    sides: SURICATA,
    extra: { accept: 'accept-all' },
    visit,
  })),
  ...['p50', 'p99'].map((quantile) => ({
    name: `suricata-latency-${quantile}`,
    title: `latency of a handshake (sequential), ${quantile}, against Suricata`,
    ...latency,
    value: (outcome) => outcome[quantile],
    ratio: against('suricata'),
    goal: atMost(quantile === 'p50' ? 0.8 : 1),
    longOnly: true,
    sides: SURICATA,
    extra: FLOOR,
    visit: SURICATA_SINGLE,
  })),
  ...[1, 4].map((streams) => ({
    name: `bulk-${streams}`,
    title: `bulk through an accepted flow, ${counted(streams)}, against conntrack and one rule`,
    ...bulk,
    ratio: against('conntrack'),
    goal: atLeast(0.98),
    reached: streams === 1 ? undefined : 0.87,
    sides: { conntrack: 'conntrack', tlspin: 'tlspin:pinned' },
    extra: { 'no queue': 'none' },
    visit: visits('bulk', streams),
  })),
  ...[1, 4].map((streams) => ({
    name: `queued-bulk-${streams}`,
    title: `bulk when nothing is bypassed, ${counted(streams)}, against accept-all.c`,
    ...bulk,
    ratio: against('accept'),
    goal: atLeast(0.95),
    reached: 0.85,
    sides: { accept: 'accept-all', tlspin: 'tlspin:pinned:queued' },
    extra: { ...BINDINGS, javascript: 'javascript' },
    visit: visits('bulk', streams),
  })),
  {
    name: 'small-packets',
    title: 'small packets/s that all go through the engine, against accept-all.c',
    unit: 'packets/s',
    // 64 octets there and 64 back.
    value: (outcome) => (2 * outcome.exchanges) / outcome.seconds,
    ratio: against('accept'),
    goal: atLeast(0.9),
    sides: { accept: 'accept-all', tlspin: 'tlspin:pinned:queued' },
    extra: EVERYBODY,
    visit: visits('echo', 64),
  },
  ...['p50', 'p99', 'p999'].map((quantile) => ({
    name: `latency-${quantile}`,
    title: `added latency of a handshake (sequential), ${quantile}, against accept-all.c`,
    ...latency,
    value: (outcome) => outcome[quantile],
    ratio: added,
    goal: quantile === 'p50' ? atMost(1) : null,
    reached: quantile === 'p50' ? 5.5 : undefined,
    sides: { 'no queue': 'none', ...ENGINE },
    extra: BINDINGS,
  })),
  {
    name: 'nginx',
    title: 'real TLS 1.2 with nginx (openssl s_time), handshakes/s, against accept-all.c',
    ...handshakes,
    goal: null,
    sides: { accept: 'accept-all', tlspin: 'tlspin:nginx' },
    extra: { 'no queue': 'none' },
    isPossible: (lab) => lab.hasNginx,
    visit: (lab, { seconds }) => lab.visitNginx('1.2', { atOnce: 4, seconds }),
  },
  ...[
    ['pinned', 'nginx', 'pinned, the server’s answer remembered', 0.95],
    ['unpinned', 'nginx-unpinned', 'of no pinset', 1],
  ].map(([kind, configuration, words, bound]) => ({
    name: `tls13-${kind}`,
    title: `real TLS 1.3 with nginx and P-256, ${words}, handshakes/s, against accept-all.c`,
    ...handshakes,
    goal: atLeast(bound),
    longOnly: true,
    sides: { accept: 'accept-all', tlspin: `tlspin:${configuration}` },
    extra: { 'no queue': 'none', ...FLOOR, suricata: 'suricata' },
    isPossible: (lab) => lab.hasNginx,
    visit: (lab, pace) => visitTls13(lab, pace),
    warmUp: visitTls13,
  })),
  {
    name: 'tls13-first',
    title: 'real TLS 1.3, first contact (the server is asked first), milliseconds that it takes longer, p50',
    unit: 'ms',
    value: (outcome) => outcome.p50 / 1000,
    // A round trip to the server is no more than what it takes to be connected without a queue, and not taken off here.
    ratio: (values) => values.tlspin - values['no queue'],
    goal: atMost(3),
    // A busy machine takes longer for the client's own part as well.
    reached: (values) => Math.max(5, 4 * values['no queue']),
    sides: { 'no queue': 'none', tlspin: 'tlspin:nginx-names' },
    isPossible: (lab) => lab.hasNginx,
    visit: visitFirst,
    warmUp: visitFirst,
  },
  {
    name: 'many-pins',
    title: '100,000 pins of 10,000 hosts against 10 pins of one, handshakes/s',
    ...handshakes,
    ratio: against('ten', 'many'),
    goal: atLeast(0.98),
    sides: { ten: 'tlspin:ten-pins', many: 'tlspin:many-pins' },
    visit: visits('handshake', 64),
  },
  ...[
    ['change', 'an entry of a list of 100,000 changes'],
    ['reload', 'all of its 100,000 entries change'],
  ].map(([kind, words]) => ({
    name: `list-${kind}`,
    title: `how long a packet thread stands still when ${words}, against the whole policy handed over`,
    unit: 'ms',
    goal: atMost(0.05),
    measure: (plan) => measureLists(kind, plan),
  })),
  ...[
    ['half-open', 'of which only the SYN came', 512],
    ['open', 'open, before its ClientHello', 512],
    ['decided', 'decided', 128],
  ].map(([state, words, bound]) => ({
    name: `memory-${state}`,
    title: `octets a tracked flow, ${words}`,
    unit: 'octets',
    goal: atMost(bound),
    measure: (plan) => measureMemory(state, plan),
  })),
  {
    name: 'memory-start',
    title: 'resident memory of an engine that has started',
    unit: 'MiB',
    goal: atMost(80),
    reached: 105,
    measure: (plan) => measureStart(plan),
  },
  ...[
    ['one', 'one of which is another each time', 1.3],
    ['all', 'all of which are others each time', 1.5],
  ].map(([kind, words, bound]) => ({
    name: `memory-reloads-${kind}`,
    title: `resident memory within fifty reloads of 10,000 pinsets, ${words}, against after the third`,
    unit: 'MiB',
    goal: atMost(bound),
    longOnly: true,
    measure: (plan) => measureReloads(kind, plan),
  })),
  ...[
    ['tshark', 'tshark -q -z io,stat,0', 20],
    ['ndpiReader', "nDPI's ndpiReader -q", 1],
    ['suricata', 'Suricata, one thread, which records certificates and names too', 1],
  ].flatMap(([reader, command, bound]) => [
    {
      name: `inspect-${reader.toLowerCase()}`,
      title: `inspect, octets/s of a capture, against ${command}`,
      unit: 'MB/s',
      goal: atLeast(bound),
      longOnly: true,
      measure: (plan) => measureInspection(reader, 'handshakes', plan),
    },
    {
      name: `inspect-data-${reader.toLowerCase()}`,
      title: `the same of a capture with 256 KiB of data behind each handshake, against ${reader}`,
      unit: 'MB/s',
      goal: reader === 'suricata' ? atLeast(bound) : null,
      longOnly: true,
      measure: (plan) => measureInspection(reader, 'data', plan),
    },
  ]),
  ...[
    ['tshark', 'tshark, which prints names and certificates'],
    ['ndpiReader', 'ndpiReader -v 2, which prints names and digests'],
  ].map(([reader, words]) => ({
    name: `inspect-certificates-${reader.toLowerCase()}`,
    title: `inspect, octets/s of a capture, against ${words}`,
    unit: 'MB/s',
    goal: null,
    longOnly: true,
    measure: (plan) => measureInspection(reader, 'handshakes', plan, 'certificates'),
  })),
  {
    name: 'inspect-threads',
    title: 'inspect, octets/s of a capture, threads for all CPUs against one',
    unit: 'MB/s',
    goal: atLeast(1.6),
    longOnly: true,
    measure: (plan) => measureThreads('handshakes', plan),
  },
];

function counted(streams) {
  return streams === 1 ? '1 stream' : `${streams} streams`;
}
