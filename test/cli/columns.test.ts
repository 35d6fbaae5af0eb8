import { expect, it } from 'vitest';

import { columnsOf, cut } from '../../src/cli/columns.ts';

it.each([
  ['', 0],
  ['www.bank.example', 16],
  ['Zürich', 6],
  ['Zu\u0308rich', 6],
  ['銀行', 4],
  ['ｂａｎｋ', 8],
  ['은행', 4],
  ['🔒', 2],
  ['𠮷', 2],
  ['→…é', 3],
])('%j takes %d columns', (text, columns) => {
  expect(columnsOf(text)).toBe(columns);
});

it.each([
  ['www.bank.example', 16, 'www.bank.example'],
  ['www.bank.example', 15, 'www.bank.examp…'],
  ['銀行銀行', 7, '銀行銀…'],
  ['銀行銀行', 6, '銀行…'],
  ['Zu\u0308rich', 3, 'Zu\u0308…'],
  ['🔒🔒', 3, '🔒…'],
  ['x', 0, ''],
])('%j in %d columns is %j', (text, columns, expected) => {
  expect(cut(text, columns)).toBe(expected);
  expect(columnsOf(expected)).toBeLessThanOrEqual(columns);
});
