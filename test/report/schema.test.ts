import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { ANOMALY_CODES } from '../../src/judge/events.ts';
import { ADVICE, HINTS, MEANINGS } from '../../src/report/reasons.ts';
import { recordJsonSchema, recordSchema } from '../../src/report/schema.ts';
import { ROOT } from '../support/built.ts';

const page = readFileSync(join(ROOT, 'docs/log.md'), 'utf8');

describe('the schema of records', () => {
  it('describes every field', () => {
    const fields = fieldsOf(recordJsonSchema());
    expect(fields.length).toBeGreaterThan(80);
    expect(fields.filter(({ description }) => description === undefined)).toEqual([]);
  });

  it('takes no field that it does not describe', () => {
    const record = { event_type: 'anomaly', timestamp: '2026-11-21T19:31:36.120123+0000', flow_id: 0 };
    const anomaly = { event: 'log.lost', detail: '3 records were lost' };
    expect(recordSchema.safeParse({ ...record, anomaly }).success).toBe(true);
    expect(recordSchema.safeParse({ ...record, anomaly: { ...anomaly, more: 1 } }).success).toBe(false);
    expect(recordSchema.safeParse({ ...record, anomaly, timestamp: '2026-11-21 19:31' }).success).toBe(false);
  });
});

describe('docs/log.md', () => {
  it('names every kind of record', () => {
    const kinds = recordSchema.options.map(({ shape }) => shape.event_type.value);
    expect(kinds.filter((kind) => !page.includes(`| \`${kind}\` |`))).toEqual([]);
  });

  it('has every field, in the words of the schema', () => {
    // Those of the client's certificates are those of the server's.
    const fields = fieldsOf(recordJsonSchema()).filter(({ path }) => !path.startsWith('tls.client_certificates[]'));
    expect(fields.map(row).filter((each) => !page.includes(each))).toEqual([]);
  });

  it('says of each anomaly what it means and what to do, and of no other one', () => {
    const table = page.slice(page.indexOf('\n## Anomalies\n')).split('\n## ')[1]!;
    const rows = [...table.matchAll(/^\| `([a-z.-]+)` \| .+ \| .+ \|$/gm)].map(([, code]) => code);
    expect(rows.slice(1)).toEqual(ANOMALY_CODES);
  });

  it('says of faults what explain says', () => {
    const rows = HINTS.map(([beginning, hint]) => `| \`${beginning}\` | ${hint} |\n`);
    expect(rows.filter((each) => !page.includes(each))).toEqual([]);
  });

  it('says of each reason what explain says, and what `tlspin why` says to do', () => {
    const reasons = Object.keys(MEANINGS) as (keyof typeof MEANINGS)[];
    const rows = reasons.map((reason) => `| \`${reason}\` | ${MEANINGS[reason]} | ${ADVICE[reason]} |\n`);
    expect(rows.filter((row) => !page.includes(row))).toEqual([]);
  });
});

interface Schema {
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

interface Field {
  /** Dotted; of arrays with `[]`. */
  readonly path: string;
  readonly description: string | undefined;
  readonly values: readonly string[];
}

/** Objects describe themselves by their fields. */
function fieldsOf(schema: unknown, path = ''): Field[] {
  const { properties = {}, anyOf = [], oneOf = [], items } = schema as Schema;
  const inside = [...anyOf, ...oneOf].flatMap((each) => fieldsOf(each, path));
  const ofItems = items === undefined ? [] : fieldsOf(items, `${path}[]`);
  const own = Object.entries(properties).flatMap(([name, field]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const isPlain = Object.keys(field.properties ?? {}).length === 0 && name !== 'event_type';
    const values = field.enum ?? field.items?.enum ?? [];
    return [...(isPlain ? [{ path: at, description: field.description, values }] : []), ...fieldsOf(field, at)];
  });
  return [...inside, ...ofItems, ...own];
}

/** As the page has it; reasons have a table of their own. */
function row({ path, description, values }: Field): string {
  const named = values.length === Object.keys(MEANINGS).length ? [] : values;
  const choices = named.length === 0 ? '' : `${named.map((value) => `\`${value}\``).join(', ')}. `;
  return `| \`${path}\` | ${choices}${description} |\n`;
}
