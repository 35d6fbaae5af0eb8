/**
 * A configuration file, and the files that it refers to, made a policy; or everything that is wrong with them, each
 * with its place. The only door through which configurations come in: at the start, at a reload, and for `check`.
 */
import { compile } from './compile/compile.ts';
import { ConfigDocument } from './document/document.ts';
import { readFromDisk, readOrExplain, ReferredFiles } from './document/files.ts';
import type { ReadFile } from './document/files.ts';
import { whatElse } from './document/foreign.ts';
import { lint } from './compile/lint.ts';
import type { Message } from './document/message.ts';
import type { Policy } from './policy.ts';
import type { Configuration } from './document/schema.ts';
import { partOf, Parts } from './document/parts.ts';
import { type SharedDocument, sharedPart } from './document/shared.ts';

export type LoadResult =
  | {
      readonly policy: Policy;
      /** Everything that was read besides the document. */
      readonly files: readonly string[];
      readonly warnings: readonly Message[];
      readonly notes: readonly Message[];
    }
  | { readonly errors: readonly Message[]; readonly warnings: readonly Message[]; readonly notes: readonly Message[] };

/**
 * Never throws. Under `"strict": true` a file with warnings is refused: they are among the errors then. `added`: entries
 * of lists, by list, that are in no file. `shared`: what this host has of its fleet.
 */
export function loadPolicy(
  file: string,
  read: ReadFile = readFromDisk,
  nowMs: number = Date.now(),
  added: AddedEntries = new Map(),
  shared?: SharedDocument,
): LoadResult {
  const content = readOrExplain(file, read);
  if ('error' in content) return unusable(file, content.error);
  const foreign = whatElse(file, content.bytes);
  if (foreign !== undefined) return unusable(file, foreign);
  const document = new ConfigDocument(file, new TextDecoder().decode(content.bytes));
  const main = partOf(document, new ReferredFiles(file, read));
  if (main === undefined) return failure(sorted(document.of('error')));
  const local = main.configuration.fleet?.local ?? [];
  const parts = new Parts(main, shared && sharedPart(shared, local));
  const { files } = main;
  const policy = compile(withEntries(parts.configuration, added), parts, nowMs, parts);
  if (parts.errorCount === 0) lint(policy, nowMs, parts);
  const warnings = sorted(parts.of('warning'));
  const notes = sorted(parts.of('note'));
  const strict = main.configuration.strict === true ? warnings : [];
  const errors = sorted([...parts.of('error'), ...strict]);
  if (errors.length > 0) return { errors, warnings: strict.length > 0 ? [] : warnings, notes };
  const besides = [added.size === 0 ? '' : JSON.stringify([...added]), shared === undefined ? '' : identity(shared)];
  const hash = files.hash(content.bytes, besides.join(''));
  return { policy: { hash, ...policy }, files: files.paths, warnings, notes };
}

/** Canonical spellings, by the list's name. */
export type AddedEntries = ReadonlyMap<string, readonly string[]>;

function withEntries(configuration: Configuration, added: AddedEntries): Configuration {
  if (added.size === 0) return configuration;
  const lists = Object.entries(configuration.lists ?? {}).map(([id, list]) => {
    const entries = list.writable === true && list.file === undefined ? added.get(id) : undefined;
    return [id, entries === undefined ? list : { ...list, entries: [...(list.entries ?? []), ...entries] }];
  });
  return { ...configuration, lists: Object.fromEntries(lists) as Configuration['lists'] };
}

function identity({ digest, isReportOnly }: SharedDocument): string {
  return `${digest}${isReportOnly ? ' report-only' : ''}`;
}

function unusable(file: string, text: string): LoadResult {
  return failure([{ severity: 'error', file, line: 1, column: 1, text }]);
}

function failure(errors: readonly Message[]): LoadResult {
  return { errors, warnings: [], notes: [] };
}

/** By place; the document itself before the files that it refers to, in the order in which they were read. */
function sorted(messages: readonly Message[]): Message[] {
  const files = [...new Set(messages.map((message) => message.file))];
  return [...messages].sort(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}
