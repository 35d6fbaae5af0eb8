/** The view as a function: what was answered, what was answered before, a size; and the lines that come of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { columnsOf } from '../../../src/cli/columns.ts';
import { line, painted } from '../../../src/cli/top/layout.ts';
import type { Round } from '../../../src/cli/top/round.ts';
import { type Size, type View, viewLines } from '../../../src/cli/top/view.ts';
import {
  flowAnswer,
  NOON,
  queueStanding,
  roundOf,
  statsAnswer,
  statusAnswer,
  verdictAnswer,
} from '../../support/top-answers.ts';

const WIDE: Size = { columns: 140, rows: 40 };

function view(now: Round, more: Partial<View> = {}): View {
  const footer = line('q quit');
  const rest = { error: undefined, clock: NOON, scroll: 0, filter: '', footer, isPaused: false };
  return { now, before: undefined, ...rest, ...more };
}

/** Without colours. */
function lines(shown: View, size: Size = WIDE): string[] {
  return viewLines(shown, size).map((each) => painted(each, size.columns, (_, text) => text).trimEnd());
}

/** Styles as `<style|text>`. */
function styled(shown: View): string {
  return viewLines(shown, WIDE)
    .map((each) => painted(each, WIDE.columns, (style, text) => `<${style}|${text}>`))
    .join('\n');
}

/** The lines of the table under that heading, cell by cell. */
function table(shown: View, heading: string, size: Size = WIDE): string[][] {
  const all = lines(shown, size);
  const at = all.findIndex((text) => new RegExp(`(^| )${heading}( |$)`).test(text));
  const end = all.indexOf('', at);
  return all.slice(at + 1, end < 0 ? undefined : end).map((text) => text.trim().split(/ {2,}/));
}

/** A second later, with other counters. */
function later(before: Round, more: Partial<Round>): Round {
  return roundOf({ time: before.time + 1000, at: before.at + 1000, ...more });
}

describe('the whole of it', () => {
  it('is as high as the screen, the keys on its last line', () => {
    const now = roundOf({
      status: statusAnswer({ flows: 1, held: 2, queues: [queueStanding(0, { flows: 1, held: 2 })] }),
      stats: statsAnswer([[200, 150, 48]], { verdicts: { 'accept pin-match': 30, 'tls-alert pin-mismatch': 10 } }),
      flows: [flowAnswer(9, { held: 2 })],
      verdicts: [verdictAnswer(8)],
    });
    expect(lines(view(now), { columns: 110, rows: 20 })).toEqual([
      `tlspin 1.2.3, process 4711, up 100 s, 100 MiB   12:00:05Z   rates: since the start`,
      'pinsets: enforce 2, pins 4; generation 2 for 10 min, sha256:0123456789ab, /etc/tlspin.json',
      'flows 1, packets held 2; connmark route verdict; packets received 200, accepted 150, dropped 48',
      '',
      'QUEUE  PACKETS/S  VERDICTS/S  DROPPED/S  FLOWS  HELD  WAITING  QUEUE DROPPED  USER DROPPED',
      '    0        2.0         2.0        0.5      1     2        0              0             0',
      '',
      'DECISION   REASON         PER S      TOTAL    SHARE',
      'accept     pin-match        0.3         30   75.0 %',
      'tls-alert  pin-mismatch     0.1         10   25.0 %',
      '',
      'FLOW    CLIENT           SERVER            STATE       REASON           AGE  HELD  PINSET  NAME',
      '9       10.0.0.2:40000   198.51.100.2:443  inspecting                   1 s     2  bank    www.bank.example',
      '8       10.0.0.2:40001   198.51.100.2:443  accept      pin-match        3 s        bank    www.bank.example',
      '',
      '',
      '',
      '',
      '',
      'q quit',
    ]);
  });

  it('without an end and without keys has every line that there is, and no other', () => {
    const now = roundOf({ flows: Array.from({ length: 90 }, (_, i) => flowAnswer(1000 + i)) });
    const all = lines(view(now, { footer: undefined }), { columns: Infinity, rows: Infinity });
    expect(all.filter((text) => text.startsWith('10'))).toHaveLength(90);
    expect(all.at(-1)).not.toBe('');
  });

  it('fits every screen, and no line is wider than it', () => {
    const queues = fc.integer({ min: 1, max: 40 });
    const sizes = fc.record({ columns: fc.integer({ min: 1, max: 200 }), rows: fc.integer({ min: 1, max: 80 }) });
    const names = fc.array(fc.string({ unit: 'grapheme', maxLength: 80 }), { maxLength: 30 });
    fc.assert(
      fc.property(sizes, queues, names, fc.nat(50), (size, count, snis, scroll) => {
        const now = roundOf({
          status: statusAnswer({ queues: Array.from({ length: count }, (_, i) => queueStanding(i)), fail_open: true }),
          stats: statsAnswer(Array.from({ length: count }, () => [1, 1, 0] as const)),
          flows: snis.map((sni, i) => flowAnswer(1000 + i, { sni })),
        });
        const shown = viewLines(view(now, { scroll }), size).map((each) => painted(each, size.columns, (_, t) => t));
        expect(shown).toHaveLength(size.rows);
        for (const text of shown) expect(columnsOf(text)).toBeLessThanOrEqual(size.columns);
      }),
    );
  });
});

describe('rates', () => {
  const counted = (received: number, verdicts: Record<string, number>, uptime = 100, pid = 4711) => ({
    status: statusAnswer({ uptime, pid }),
    stats: statsAnswer([[received, received - 10, 10]], { verdicts }),
  });
  const before = roundOf(counted(1000, { 'accept pin-match': 50 }));

  it('are taken between two rounds, by the time that passed', () => {
    const now = later(before, { at: before.at + 2000, ...counted(1500, { 'accept pin-match': 53 }, 102) });
    const shown = view(now, { before });
    expect(table(shown, 'QUEUE')).toEqual([['0', '250', '250', '0.0', '0', '0', '0', '0', '0']]);
    expect(table(shown, 'DECISION')).toEqual([['accept', 'pin-match', '1.5', '53', '100.0 %']]);
    expect(lines(shown)[0]).toMatch(/rates: over 2\.0 s$/);
  });

  it('of the first round are averages since the start', () => {
    expect(table(view(before), 'QUEUE')[0]!.slice(0, 4)).toEqual(['0', '10', '10', '0.1']);
    expect(lines(view(before))[0]).toMatch(/rates: since the start$/);
  });

  it('across a restart begin anew with the process, and never fall below nothing', () => {
    for (const pid of [4711, 4712]) {
      const now = later(before, counted(40, { 'accept pin-match': 4 }, 2, pid));
      const shown = view(now, { before });
      expect(table(shown, 'QUEUE')[0]!.slice(0, 4)).toEqual(['0', '20', '20', '5.0']);
      expect(table(shown, 'DECISION')).toEqual([['accept', 'pin-match', '2.0', '4', '100.0 %']]);
      expect(lines(shown)[0]).toMatch(/rates: since the start$/);
    }
  });

  it('in the first second of a process are not known', () => {
    const now = later(before, counted(40, {}, 0, 4712));
    expect(table(view(now, { before }), 'QUEUE')[0]!.slice(0, 4)).toEqual(['0', '-', '-', '-']);
  });

  it('of a queue that counts from the beginning while the process goes on are not known for a round', () => {
    const now = later(before, counted(40, {}, 101));
    expect(table(view(now, { before }), 'QUEUE')[0]!.slice(0, 3)).toEqual(['0', '-', '-']);
  });

  it('of a kind of decision that was not there before are its own', () => {
    const now = later(before, counted(1000, { 'accept pin-match': 50, 'reset limit': 3 }, 101));
    expect(table(view(now, { before }), 'DECISION')).toEqual([
      ['accept', 'pin-match', '0.0', '50', '94.3 %'],
      ['reset', 'limit', '3.0', '3', '5.7 %'],
    ]);
  });

  it.each([
    [9.94, '9.9'],
    [9.96, '10'],
    [0.01, '<0.1'],
    [9999, '9999'],
    [12_345, '12.3k'],
    [2_500_000, '2.5M'],
  ])('%d is written %s', (rate, text) => {
    const now = later(before, counted(1000 + rate, {}, 101));
    expect(table(view(now, { before }), 'QUEUE')[0]![1]).toBe(text);
  });
});

describe('what needs attention', () => {
  const quiet = styled(view(roundOf()));

  it('is nothing where all is well', () => {
    expect(quiet).not.toMatch(/<(bad|warn)\|/);
  });

  it('fail-open and bypass are red, rules that are not there yellow', () => {
    const status = statusAnswer({ fail_open: true, queue_bypass: true });
    expect(styled(view(roundOf({ status })))).toContain('<bad|! queue full: packets pass unseen ("failOpen")>');
    expect(styled(view(roundOf({ status })))).toContain('<bad|! no engine: packets pass unseen (--queue-bypass)>');
    const none = roundOf({ status: statusAnswer({ queue_bypass: null }) });
    expect(styled(view(none))).toContain('<warn|! no rules were found that send packets to these queues');
  });

  it('modes that do not enforce are yellow', () => {
    const { configuration } = statusAnswer();
    const modes = { enforce: 1, 'report-only': 2 };
    const now = roundOf({ status: statusAnswer({ configuration: { ...configuration, modes } }) });
    expect(styled(view(now))).toContain('pinsets: <good|enforce 1>, <warn|report-only 2>');
  });

  it('limits that were reached are yellow, and red while they are', () => {
    const before = roundOf({ status: statusAnswer({ limits: { flows: 3 } }) });
    expect(styled(view(before))).toContain('<warn|! limits reached: flows 3>');
    const now = later(before, { status: statusAnswer({ limits: { flows: 5, holes: 1 }, uptime: 101 }) });
    expect(styled(view(now, { before }))).toContain('<bad|! limits reached: flows 5 (+2), holes 1 (+1)>');
  });

  it('losses of the kernel, of the log, and queues that are silent', () => {
    const now = roundOf({
      status: statusAnswer({
        log: { file: null, written: 9, dropped: 2, destinations: [], events_dropped: 1 },
        queues: [queueStanding(0, { kernel: { waiting: 7, queue_dropped: 5, user_dropped: 6, id_sequence: 0 } })],
      }),
      silent: [2, 3],
    });
    expect(styled(view(now))).toMatch(/<bad\| +5> +<bad\| +6>/);
    expect(styled(view(now))).toContain('<warn|! log: 3 records lost>');
    expect(styled(view(now))).toContain('<bad|! no answer from queue 2, 3>');
  });

  it('a lost connection is said with the age of what is shown, whose ages stand still', () => {
    const now = roundOf({ verdicts: [verdictAnswer(8)] });
    const shown = view(now, { clock: NOON + 90_000, error: 'control socket x: nobody listens' });
    expect(styled(shown)).toContain('<bad|! shown is what was 90 s ago: control socket x: nobody listens>');
    expect(table(shown, 'FLOW')[0]).toContain('3 s');
  });

  it('a pause is said', () => {
    expect(styled(view(roundOf(), { isPaused: true }))).toContain('<warn|paused>');
  });
});

describe('many kinds of decisions', () => {
  it('are those that happen now where not all have room, the most frequent first', () => {
    const kinds = Array.from({ length: 30 }, (_, i) => [`drop reason${i}`, 100 + i] as const);
    const before = roundOf({ stats: statsAnswer([[0, 0, 0]], { verdicts: Object.fromEntries(kinds) }) });
    const verdicts = { ...before.stats.verdicts, 'drop reason3': 104, 'drop reason9': 110 };
    const now = later(before, { stats: statsAnswer([[0, 0, 0]], { verdicts }) });
    const rows = table(view(now, { before }), 'DECISION', { columns: 100, rows: 20 });
    expect(rows.map(([, reason]) => reason)).toEqual(['reason29', 'reason9', 'reason3', undefined]);
    expect(rows.at(-1)).toEqual(['and 27 more']);
    expect(table(view(now), 'DECISION', { columns: 100, rows: Infinity })).toHaveLength(30);
  });
});

describe('many queues', () => {
  const standings = Array.from({ length: 24 }, (_, i) => queueStanding(i, { flows: 1, held: i === 17 ? 9 : 0 }));
  const busy = roundOf({
    status: statusAnswer({ queues: standings }),
    stats: statsAnswer(Array.from({ length: 24 }, (_, i) => [i === 5 ? 2000 : 100, 100, 0] as const)),
  });

  it('are all there where there is room, with a line for all of them', () => {
    const rows = table(view(busy), 'QUEUE', { columns: 140, rows: 100 });
    expect(rows.map(([queue]) => queue)).toEqual([...Array.from({ length: 24 }, (_, i) => `${i}`), 'all']);
    expect(rows.at(-1)).toEqual(['all', '43', '24', '0.0', '24', '9', '0', '0', '0']);
  });

  it('are the busiest in their order where there is not', () => {
    const rows = table(view(busy), 'QUEUE', { columns: 140, rows: 24 });
    expect(rows.map(([queue]) => queue)).toEqual(['0', '5', '17', 'all', 'and 21 more with less to do']);
  });

  it('one alone needs no line for all; what is not told of it is not made up', () => {
    const now = roundOf({ status: statusAnswer({ queues: [queueStanding(3, { kernel: null })] }) });
    expect(table(view(now), 'QUEUE')).toEqual([['3', '-', '-', '-', '0', '0', '-', '-', '-']]);
  });
});

describe('flows', () => {
  const now = roundOf({
    flows: [
      flowAnswer(1, { age_ms: 9_000, waits: true }),
      flowAnswer(2, { age_ms: 60_000, phase: 'opening', sni: null, pinsets: null }),
      flowAnswer(11, { held: 3 }),
      flowAnswer(4, { phase: 'accepting', action: 'accept', reason: 'pin-match' }),
    ],
    verdicts: [
      verdictAnswer(4),
      verdictAnswer(3, {
        verdict: { action: 'tls-alert', reason: 'pin-mismatch', pinset: 'bank' },
        src_ip: '2001:db8::2',
      }),
    ],
  });

  it('that are held come first, then the undecided, the oldest first, then the decisions of late', () => {
    expect(table(view(now), 'FLOW').map((row) => [row[0], row[3]])).toEqual([
      ['11', 'inspecting'],
      ['2', 'opening'],
      ['1', 'inspecting'],
      ['4', 'accept'],
      ['3', 'tls-alert'],
    ]);
    expect(styled(view(now))).toContain('<bad|tls-alert >');
    expect(table(view(now), 'FLOW')[4]![1]).toBe('[2001:db8::2]:40001');
    expect(table(view(now), 'FLOW')[2]![4]).toBe('evidence awaited');
  });

  it('are scrolled over, as far as there are any, and what they are chosen by is said', () => {
    const shown = view(now, { scroll: 3, filter: 'port 443' });
    expect(lines(shown)).toContain('flows: only port 443, 3 above');
    expect(table(shown, 'FLOW').map(([flow]) => flow)).toEqual(['4', '3']);
    expect(table(view(now, { scroll: 99 }), 'FLOW').map(([flow]) => flow)).toEqual(['3']);
    expect(lines(view({ ...now, hasMoreFlows: true }))).toContain('flows: more than are shown');
  });

  it('none are said to be none', () => {
    expect(table(view(roundOf()), 'FLOW')).toEqual([['none']]);
  });

  it('keep their state and name on a narrow screen, and the name gives way last', () => {
    const heading = (columns: number) => lines(view(now), { columns, rows: 40 }).find((text) => /\bSTATE\b/.test(text));
    expect(heading(100)!.split(/ +/)).toEqual(['FLOW', 'CLIENT', 'SERVER', 'STATE', 'REASON', 'HELD', 'NAME']);
    // What `tlspin ctl explain` needs.
    expect(heading(80)!.split(/ +/)).toEqual(['FLOW', 'CLIENT', 'STATE', 'REASON', 'NAME']);
    expect(heading(40)!.split(/ +/)).toEqual(['FLOW', 'STATE', 'NAME']);
    expect(lines(view(now), { columns: 24, rows: 40 })).toContain('inspecting  www.bank.ex…');
  });

  it('with wide names are aligned and cut by their columns', () => {
    const wide = roundOf({ flows: [flowAnswer(1, { sni: '銀行'.repeat(20), pinsets: ['銀行'] })] });
    const rows = lines(view(wide), { columns: 120, rows: 40 });
    const row = rows.find((text) => text.startsWith('1'))!;
    expect(columnsOf(row)).toBeGreaterThanOrEqual(119);
    expect(row).toMatch(/ {2}銀行 {4}(銀行)+銀?…$/);
  });

  it('say no name that a terminal would obey', () => {
    const hostile = 'a\x1b[2J\x1b]0;owned\x07\x9b31m\r\n\u202eb';
    const evil = roundOf({
      flows: [flowAnswer(1, { sni: hostile })],
      verdicts: [
        verdictAnswer(2, {
          tls: { sni: hostile },
          verdict: { action: 'accept', reason: 'pin-match', pinset: hostile },
        }),
      ],
    });
    const size = { columns: 400, rows: 40 };
    const text = lines(view(evil, { error: hostile, filter: hostile }), size).join('\n');

    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    expect(text).toContain('a\\x1b[2J\\x1b]0;owned\\x07\\x9b31m\\x0d\\x0a\\x202eb');
  });
});
