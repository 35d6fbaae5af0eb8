/**
 * A document that came otherwise than by files of this host, with the files that it refers to: taken in as an included
 * one is. It reads nothing but what came with it, whatever it names.
 */
import { basename, dirname, relative, resolve } from 'node:path';

import { ConfigDocument } from './document.ts';
import { type FileContent, type ReadFile, ReferredFiles } from './files.ts';
import { type Part, partOf } from './parts.ts';
import type { Configuration } from './schema.ts';
import type { PinsetSource } from './schema/pinset.ts';

export interface SharedDocument {
  /** Its file, as messages name it. */
  readonly file: string;
  /** By name relative to its folder; its own file is among them. */
  readonly files: ReadonlyMap<string, FileContent>;
  /** `sha256:<hex>` of everything in it. */
  readonly digest: string;
  /** Its pinsets let pass what they would deny. */
  readonly isReportOnly: boolean;
}

/** `local`: the names of what is left out of it. */
export function sharedPart(
  shared: SharedDocument,
  local: readonly string[],
): { readonly document: ConfigDocument; readonly part: Part | undefined } {
  const text = new TextDecoder().decode(shared.files.get(basename(shared.file))?.bytes ?? new Uint8Array());
  const document = new ConfigDocument(shared.file, text);
  const part = partOf(document, new ReferredFiles(shared.file, readOf(shared)), true);
  if (part === undefined) return { document, part };
  refuseForeign(part);
  const isOwn = (name: string | undefined) => name !== undefined && local.includes(name);
  // What is left out is null, as what is wrong is: the others keep their places, so that messages find them.
  const pinsets = (part.configuration.pinsets ?? []).map((pinset: PinsetSource | null) => {
    if (pinset === null || isOwn(pinset.name)) return null;
    return shared.isReportOnly ? reportOnly(pinset) : pinset;
  });
  const lists = Object.entries(part.configuration.lists ?? {}).filter(([id]) => !isOwn(id));
  const configuration = { ...part.configuration, pinsets, lists: Object.fromEntries(lists) } as Configuration;
  return { document, part: { ...part, configuration } };
}

function reportOnly(pinset: PinsetSource): PinsetSource {
  const changed: PinsetSource = { ...pinset, mode: 'report-only' };
  delete changed.then;
  return changed;
}

/** A list that a gateway writes has its file on that gateway. */
function refuseForeign({ document, configuration }: Part): void {
  for (const [id, list] of Object.entries(configuration.lists ?? {})) {
    if (list?.writable !== true || list.file === undefined) continue;
    document.error(
      ['lists', id],
      `the list "${id}" comes with its file, so it cannot be writable: leave one of them out`,
    );
  }
}

function readOf({ file, files }: SharedDocument): ReadFile {
  const folder = dirname(resolve(file));
  return (path) => {
    const content = files.get(relative(folder, path));
    if (content === undefined) throw Object.assign(new Error('it did not come along'), { code: 'ENOENT' });
    return content;
  };
}
