/** A configuration as it was read: what came of it, and the content of every file of it. Knows none in force. */
import { type FileContent, readFromDisk, type ReadFile, readOrExplain } from '../../../pins/document/files.ts';
import type { Message } from '../../../pins/document/message.ts';
import type { SharedDocument } from '../../../pins/document/shared.ts';
import { type AddedEntries, type LoadResult, loadPolicy } from '../../../pins/load.ts';
import type { Policy } from '../../../pins/policy.ts';

/** What was read, as it was then. */
export interface LoadedConfiguration {
  readonly policy: Policy;
  readonly warnings: readonly Message[];
  /** By path, the document under the name that it was given. */
  readonly contents: ReadonlyMap<string, FileContent>;
  /** Of its fleet. */
  readonly shared?: SharedDocument | undefined;
}

/** Reads and compiles, and keeps what was read. */
export function readConfiguration(
  file: string,
  read: ReadFile = readFromDisk,
  added: AddedEntries = new Map(),
  shared?: SharedDocument,
): LoadedConfiguration | { readonly errors: readonly Message[] } {
  const contents = new Map<string, FileContent>();
  const loaded: LoadResult = loadPolicy(
    file,
    (path) => {
      const content = read(path);
      contents.set(path, content);
      return content;
    },
    Date.now(),
    added,
    shared,
  );
  if ('errors' in loaded) return { errors: [...loaded.errors, ...loaded.warnings] };
  return { policy: loaded.policy, warnings: loaded.warnings, contents, shared };
}

/** Its files as they were then: this user may not read them any more. */
export function asLoaded({ contents }: LoadedConfiguration): ReadFile {
  return (path) => {
    const content = contents.get(path);
    if (content === undefined) throw Object.assign(new Error(`${path} was not there`), { code: 'ENOENT' });
    return content;
  };
}

/** Nothing where there is no such file. */
export function readText(file: string): string {
  const content = readOrExplain(file, readFromDisk);
  if ('bytes' in content) return new TextDecoder().decode(content.bytes);
  if (content.isMissing) return '';
  throw new Error(content.error);
}
