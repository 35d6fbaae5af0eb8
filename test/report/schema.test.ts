import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { ADVICE, MEANINGS } from '../../src/report/reasons.ts';
import { recordJsonSchema, recordSchema } from '../../src/report/schema.ts';
import { ROOT } from '../support/built.ts';

const page = readFileSync(join(ROOT, 'docs/log.md'), 'utf8');

describe('the schema of records', () => {
  it('describes every field', () => {
    expect(fieldsWithoutDescription(recordJsonSchema())).toEqual([]);
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

  it('says of each reason what explain says, and what `tlspin why` says to do', () => {
    const reasons = Object.keys(MEANINGS) as (keyof typeof MEANINGS)[];
    const rows = reasons.map((reason) => `| \`${reason}\` | ${MEANINGS[reason]} | ${ADVICE[reason]} |\n`);
    expect(rows.filter((row) => !page.includes(row))).toEqual([]);
  });
});

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** Dotted names. Objects describe themselves by their fields. */
function fieldsWithoutDescription(schema: unknown, path = ''): string[] {
  const { properties = {}, items, anyOf = [], oneOf = [] } = schema as Schema;
  const inside = [...anyOf, ...oneOf, ...(items === undefined ? [] : [items])];
  return [
    ...inside.flatMap((each) => fieldsWithoutDescription(each, path)),
    ...Object.entries(properties).flatMap(([name, field]) => {
      const at = `${path}.${name}`;
      const isPlain = field.properties === undefined && name !== 'event_type';
      return [...(isPlain && field.description === undefined ? [at] : []), ...fieldsWithoutDescription(field, at)];
    }),
  ];
}
