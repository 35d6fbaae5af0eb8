/** Whatever operators take of the metrics goes by names that there are: the page, the alerts, the dashboard. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { METRICS } from '../../../src/runtime/metrics/catalogue.ts';
import { CONDITIONS } from '../../../src/runtime/protection/conditions.ts';
import { ROOT } from '../../support/built.ts';

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

it('the page has every metric, in the same words', () => {
  const page = read('docs/metrics.md').replace(/ +/g, ' ');
  const table = page.slice(page.indexOf('| name | type |')).split('\n').slice(2);
  const rows = Object.entries(METRICS).map(([name, { type, labels, help }]) => {
    const said = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${said}${said === '' ? '' : ' '}| ${help} |`;
  });
  expect(table.filter((line) => line.startsWith('|'))).toEqual(rows);
});

it.each(Object.entries(METRICS))(
  '%s is named as Prometheus wants it, and says what it is in a sentence',
  (name, { type, help }) => {
    expect(name).toMatch(/^tlspin_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(help).toMatch(/^[A-Z1].*\.$/);
  },
);

describe('alerts', () => {
  const text = read('packaging/prometheus/alerts.yml');
  const alerts = text.split(/^ +- alert: /m).slice(1);

  it('go by metrics and labels that there are', () => {
    const expressions = [...text.matchAll(/^ +expr: (.*)$/gm)].map(([, expression]) => expression!);
    expect(expressions.length).toBeGreaterThan(30);
    expect(expressions.flatMap(unknownIn)).toEqual([]);
  });

  it('tell of each condition, as bad as it is, with what to do', () => {
    for (const [code, { severity, mend }] of Object.entries(CONDITIONS)) {
      const found = alerts.filter((alert) => alert.includes(`tlspin_condition{code="${code}"} == 1`));
      expect(found, code).toHaveLength(1);
      const severities = severity === 'unprotected' ? ['critical'] : ['warning', 'info'];
      expect(severities).toContain(/severity: (\w+)/.exec(found[0]!)?.[1]);
      expect(found[0]!.replaceAll("''", "'")).toContain(mend);
    }
  });

  it('tell of no condition that there is not', () => {
    const codes = [...text.matchAll(/code="([^"]+)"/g)].map(([, code]) => code!);
    expect(codes.filter((code) => !(code in CONDITIONS))).toEqual([]);
  });
});

it('the dashboard goes by metrics and labels that there are, and shows each that is counted by flows', () => {
  const expressions = [...read('packaging/grafana/tlspin.json').matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(
    ([, expression]) => JSON.parse(expression!) as string,
  );
  expect(expressions.length).toBeGreaterThan(30);
  expect(expressions.flatMap(unknownIn)).toEqual([]);
  const shown = expressions.join(' ');
  const counted = Object.keys(METRICS).filter((name) =>
    /_verdicts_|_seconds$|_expiry_|_limit_reached_|_probes_/.test(name),
  );
  expect(counted.filter((name) => !shown.includes(name))).toEqual([]);
});

/** Metrics and labels of an expression that are not in the catalogue. */
function unknownIn(expression: string): string[] {
  const unknown: string[] = [];
  const known = new Set<string>(['instance', 'job', 'le']);
  for (const [, whole, selector] of expression.matchAll(/\b(tlspin_\w+)(?:\{([^}]*)\})?/g)) {
    const kind = METRICS[whole!.replace(/_bucket$/, '') as keyof typeof METRICS];
    if (kind === undefined) {
      unknown.push(whole!);
      continue;
    }
    for (const label of kind.labels) known.add(label);
    const asked = [...(selector ?? '').matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label]) => label!);
    unknown.push(
      ...asked.filter((label) => label !== 'instance' && !(kind.labels as readonly string[]).includes(label)),
    );
  }
  const by = [...expression.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(/,\s*/));
  return [...unknown, ...by.filter((label) => !known.has(label))];
}
