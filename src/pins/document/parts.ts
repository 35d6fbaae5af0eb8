/**
 * A configuration out of several files: one that says everything, and those that it includes, with pinsets and lists of
 * their own. Together they are one document to whoever compiles it, whose messages still find the file that each is about.
 */
import { dirname, resolve, sep } from 'node:path';

import { ConfigDocument } from './document.ts';
import type { FileTrouble, ReferredFiles } from './files.ts';
import { parsePublicKey } from '../../minisign/keys.ts';
import { whatElse } from './foreign.ts';
import type { Message, Path, Reporter, Severity } from './message.ts';
import { readKept } from './kept.ts';
import type { Configuration } from './schema.ts';
import type { SignedPinsSource } from './schema/signed-pins.ts';
import { elements } from './elements.ts';
import { readShape } from './schema-issues.ts';

export interface Part {
  readonly document: ConfigDocument;
  /** What is left when everything wrong is taken out. */
  readonly configuration: Configuration;
  /** Found relative to it. */
  readonly files: ReferredFiles;
}

/** Undefined where nothing of it can be used; the document says why. `isIncluded`: by another one. */
export function partOf(document: ConfigDocument, files: ReferredFiles, isIncluded = false): Part | undefined {
  if (document.errorCount > 0) return undefined;
  const { errors, configuration } = readShape(document.value, isIncluded);
  for (const { path, atKey, text } of errors) {
    if (atKey) document.errorAtKey(path, text);
    else document.error(path, text);
  }
  return configuration === null ? undefined : { document, configuration, files };
}

export class Parts implements Reporter {
  readonly configuration: Configuration;
  readonly files: ReferredFiles;
  readonly #main: Part;
  /** By position among all pinsets, and by the list's name. */
  readonly #pinsets: Place[] = [];
  readonly #lists = new Map<string, Part>();
  readonly #documents: ConfigDocument[] = [];

  /** Reads what it includes; what is wrong there is reported there. `also`: one that no file of this host holds. */
  constructor(main: Part, also?: { readonly document: ConfigDocument; readonly part: Part | undefined }) {
    this.#main = main;
    this.files = main.files;
    this.#add(main);
    for (const path of this.#included()) this.#include(path);
    if (main.configuration.pins !== undefined) this.#addSigned(main.configuration.pins);
    if (also?.part !== undefined) this.#add(also.part);
    else if (also !== undefined) this.#documents.push(also.document);
    const pinsets = this.#pinsets.map(({ part, index }) => part.configuration.pinsets![index]!);
    const lists = [...this.#lists].map(([id, part]) => [id, part.configuration.lists![id]!] as const);
    this.configuration = { ...main.configuration, pinsets, lists: Object.fromEntries(lists) };
  }

  get errorCount(): number {
    return this.#documents.reduce((sum, { errorCount }) => sum + errorCount, 0);
  }

  of(severity: Severity): Message[] {
    return this.#documents.flatMap((document) => document.of(severity));
  }

  filesAt = (path: Path): ReferredFiles => this.#place(path)[0].files;

  error(path: Path, text: string): void {
    const [{ document }, there] = this.#place(path);
    document.error(there, text);
  }

  warning(path: Path, text: string): void {
    const [{ document }, there] = this.#place(path);
    document.warning(there, text);
  }

  note(path: Path, text: string): void {
    const [{ document }, there] = this.#place(path);
    document.note(there, text);
  }

  errorIn(file: string, line: number, text: string): void {
    this.#main.document.errorIn(file, line, text);
  }

  place(path: Path): string {
    const [{ document }, there] = this.#place(path);
    const line = document.place(there);
    return this.#documents.length === 1 ? line : `${line} of ${document.file}`;
  }

  #place(path: Path): [part: Part, path: Path] {
    const [section, key, ...rest] = path;
    if (section === 'lists' && typeof key === 'string') return [this.#lists.get(key) ?? this.#main, path];
    const place = section === 'pinsets' && typeof key === 'number' ? this.#pinsets[key] : undefined;
    return place === undefined ? [this.#main, path] : [place.part, ['pinsets', place.index, ...rest]];
  }

  #add(part: Part): void {
    this.#documents.push(part.document);
    for (const [index] of elements(part.configuration.pinsets)) this.#pinsets.push({ part, index });
    for (const id of Object.keys(part.configuration.lists ?? {})) {
      const first = this.#lists.get(id);
      if (first === undefined) this.#lists.set(id, part);
      else part.document.error(['lists', id], `there is a list "${id}" in ${first.document.file} already`);
    }
  }

  /** The files, each once. */
  #included(): Set<string> {
    const { include = [] } = this.#main.configuration;
    const paths = new Set<string>();
    const isList = Array.isArray(include);
    for (const [index, name] of (isList ? include : [include]).entries()) {
      // What was wrong in itself has been said.
      const found = name === null ? [] : this.#filesOf(name);
      if (!('error' in found)) for (const path of found) paths.add(path);
      else this.#main.document.error(isList ? ['include', index] : ['include'], found.error);
    }
    return paths;
  }

  #filesOf(name: string): readonly string[] | FileTrouble {
    const folder = this.files.loadFolder(name);
    if (!('error' in folder)) return folder;
    const file = this.files.load(name);
    if ('bytes' in file) return [this.files.path(name)];
    return file.error.includes('EISDIR') ? folder : file;
  }

  #include(path: string): void {
    const content = this.files.load(path);
    const unusable = 'error' in content ? content.error : whatElse(path, content.bytes);
    if ('error' in content || unusable !== undefined) return this.errorIn(path, 1, unusable!);
    this.#addIncluded(path, content.bytes);
  }

  /** What was had last, as it is kept; somebody may have had a hand in it since, or its signer is trusted no more. */
  #addSigned({ file, trustedKeys }: Partial<SignedPinsSource>): void {
    // What was wrong in itself has been said.
    if (file === undefined) return;
    const path = this.files.path(file);
    const content = this.files.load(file);
    if ('error' in content) {
      if (!content.isMissing) return this.#main.document.error(['pins', 'file'], content.error);
      return this.#main.document.note(
        ['pins', 'file'],
        `there is no ${path} yet: these pins are in force once they are had`,
      );
    }
    const trusted = [...elements(trustedKeys)].map(([, line]) => parsePublicKey(line)).filter((key) => 'key' in key);
    const kept = readKept(content.bytes, trusted);
    if (!('error' in kept)) return this.#addIncluded(path, kept.bytes, refuseFilesOfOthers);
    this.errorIn(path, 1, `${kept.error}: take this file away, and it is had anew`);
  }

  #addIncluded(path: string, bytes: Uint8Array, check: (part: Part) => void = () => {}): void {
    const document = new ConfigDocument(path, new TextDecoder().decode(bytes));
    const part = partOf(document, this.files.of(path), true);
    if (part === undefined) return void this.#documents.push(document);
    check(part);
    this.#add(part);
  }
}

/** Whoever signs pins says nothing of the other files of this host: neither writes them nor reads them. */
function refuseFilesOfOthers({ document, configuration, files }: Part): void {
  const own = `${dirname(resolve(document.file))}${sep}`;
  for (const [id, list] of Object.entries(configuration.lists ?? {})) {
    const { file, writable } = list ?? {};
    if (file === undefined) continue;
    const path: Path = ['lists', id, 'file'];
    if (writable === true) {
      document.error(path, `the list "${id}" of a signed document cannot be a writable file: leave one of them out`);
    } else if (!files.path(file).startsWith(own)) {
      document.error(path, `the list "${id}" of a signed document has to be in the folder ${own}`);
    }
  }
}

interface Place {
  readonly part: Part;
  readonly index: number;
}
