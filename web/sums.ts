/** Verdicts minute by minute, those that passed apart from those that did not. Knows no document. */
import type { Series } from '../src/web/api.ts';

export interface Sums {
  readonly passed: readonly number[];
  readonly denied: readonly number[];
  readonly total: { readonly passed: number; readonly denied: number };
}

export function sumsOf({ at, verdicts }: Series): Sums {
  const sumOf = (rows: Series['verdicts']) =>
    at.map((_, minute) => rows.reduce((sum, { values }) => sum + (values[minute] ?? 0), 0));
  const passed = sumOf(verdicts.filter(({ action }) => action === 'accept'));
  const denied = sumOf(verdicts.filter(({ action }) => action !== 'accept'));
  const add = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  return { passed, denied, total: { passed: add(passed), denied: add(denied) } };
}
