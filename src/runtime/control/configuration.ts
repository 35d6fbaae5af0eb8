/**
 * The configuration in force while the daemon runs, and the one way in which it changes: read, compiled, taken by every
 * queue; and otherwise everything as it was, with the reason for whoever asked. Changes follow one another. A change of
 * a list is a reload of what is in force already, with that list changed, so that an edit of the document that nobody
 * has asked to be loaded stays where it is.
 */
import type { AddedEntries } from '../../pins/load.ts';
import { readFromDisk, type ReadFile } from '../../pins/document/files.ts';
import { editList, type ListChange } from '../../pins/lists/list-file.ts';
import { parseEntry } from '../../pins/lists/lists.ts';
import type { SharedDocument } from '../../pins/document/shared.ts';
import { formatMessage, type Message, nearest } from '../../pins/document/message.ts';
import type { CompiledList, Policy } from '../../pins/policy.ts';
import { reusing } from '../../pins/match/reuse.ts';
import { differenceOfSequences } from '../../pins/match/sequence-difference.ts';
import type { ReloadOutcome } from '../daemon.ts';
import { collectSoon } from '../garbage.ts';
import { refusalOf } from '../restart.ts';
import { asLoaded, type LoadedConfiguration, readConfiguration, readText } from './configuration/reading.ts';
import { Written } from './configuration/written.ts';
import { writtenAt } from './file-watch.ts';
import { type Difference, differenceOf } from './difference.ts';
import { entriesOf, presentIn, withoutStrangers } from './list-entries.ts';

export interface ConfigurationOptions {
  readonly file: string;
  readonly loaded: LoadedConfiguration;
  /** What is in it of lists without a file, beyond what it says. */
  readonly added?: AddedEntries | undefined;
  /** Daemon.reload. */
  readonly apply: (policy: Policy) => Promise<ReloadOutcome>;
  /** Told of every change, and of every one that was refused. */
  readonly onChange: (change: ConfigurationChange) => void;
}

export interface ConfigurationChange {
  readonly kind: 'reload' | 'list' | 'pins' | 'fleet';
  /** Who asked: `SIGHUP`, `control (uid 0, pid 4711)`, `file change`. */
  readonly by: string;
  readonly isInForce: boolean;
  readonly policy: Policy;
  readonly generation: number;
  /** One sentence where it is not in force. */
  readonly error: string | null;
  /** `file:line:column: severity: text`. */
  readonly messages: readonly string[];
  readonly difference: Difference | null;
  /** Of one that was only tried: the policy that it would be. */
  readonly tried?: Policy | undefined;
}

/** Which configuration somebody has looked at. */
export interface Seen {
  readonly generation: number;
  readonly config: string;
}

/** In any spelling. */
export interface EntriesChange {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Into the list's file, behind what is added: one line. */
  readonly comment?: string | undefined;
  /** The configuration that it was thought up for: by another one it is not done. */
  readonly seen?: Seen | undefined;
}

export interface ListAnswer {
  readonly list: string;
  readonly added: number;
  readonly removed: number;
  /** Of what was to be added, what was there already; of what was to be removed, what was not. */
  readonly unchanged: readonly string[];
  readonly entries: number;
  readonly generation: number;
  /** The file that it was written to; null where it lives until a restart. */
  readonly file: string | null;
}

export class LiveConfiguration {
  readonly #options: ConfigurationOptions;
  #loaded: LoadedConfiguration;
  #generation = 1;
  #since = new Date();
  /** The same, on a clock that nobody sets. */
  #began = performance.now();
  /** Of lists without a file: canonical spellings that were added at run time. */
  #added: AddedEntries;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: ConfigurationOptions) {
    this.#options = options;
    this.#loaded = options.loaded;
    this.#added = options.added ?? new Map();
  }

  get added(): AddedEntries {
    return this.#added;
  }

  get file(): string {
    return this.#options.file;
  }

  get policy(): Policy {
    return this.#loaded.policy;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Since when it is in force, and for how many milliseconds. */
  get inForce(): { readonly since: Date; readonly age: number } {
    return { since: this.#since, age: performance.now() - this.#began };
  }

  /** Every file that it was read from. */
  get paths(): string[] {
    return [...this.#loaded.contents.keys()];
  }

  /** When the file was last written whose content is in force, in milliseconds since the epoch. */
  modifiedAt(path: string): number | undefined {
    return this.#loaded.contents.get(path)?.modifiedMs;
  }

  /** Whether any of its files was written since, as far as this user may know. */
  isBehind(): boolean {
    return this.paths.some((path) => (writtenAt(path) ?? this.modifiedAt(path)) !== this.modifiedAt(path));
  }

  /** Reads everything anew. A configuration that cannot be had changes nothing. */
  reload(by: string): Promise<ConfigurationChange> {
    return this.#inTurn(async () => {
      const read = this.#read(readFromDisk, this.#added);
      if ('errors' in read) return this.#refused('reload', by, read.errors, `${this.file} is no valid configuration`);
      return this.#putIntoForce('reload', by, read, this.#added);
    });
  }

  /** What a reload would do now, without doing it. */
  tryReload(by: string): Promise<ConfigurationChange> {
    return this.#inTurn(async () => {
      const read = this.#read(readFromDisk, this.#added);
      const invalid = 'errors' in read ? `${this.file} is no valid configuration` : refusalOf(this.policy, read.policy);
      const found = 'errors' in read ? read.errors : read.warnings;
      return {
        ...this.#change('reload', by, found, invalid ?? null),
        difference: 'errors' in read ? null : differenceOf(this.policy, read.policy),
        isInForce: false,
        tried: 'errors' in read ? undefined : read.policy,
      };
    });
  }

  /**
   * Takes in what the fleet shares, in the place of what it shared before; an edit of the document that nobody has asked
   * to be loaded stays where it is. `objection`: why the policy that it would be is not to come into force.
   */
  share(by: string, shared: SharedDocument, objection: (policy: Policy) => string | undefined) {
    return this.#inTurn(async () => {
      const read = readConfiguration(this.file, asLoaded(this.#loaded), this.#added, shared);
      if ('errors' in read) return this.#refused('fleet', by, read.errors, `${shared.file} is not valid here`);
      const reason = refusalOf(this.policy, read.policy) ?? objection(read.policy);
      if (reason !== undefined) return this.#refused('fleet', by, read.warnings, reason);
      return this.#putIntoForce('fleet', by, read, this.#added);
    });
  }

  /** Adds to a writable list and removes from it; both in any spelling. Rejects with a sentence, nothing changed. */
  changeList(by: string, id: string, change: EntriesChange): Promise<ListAnswer> {
    return this.#inTurn(() => this.#changeList(by, id, change));
  }

  /** The policy that such a change would make, without making it; undefined where it cannot be. */
  tryList(id: string, change: EntriesChange): Policy | undefined {
    const list = this.#writable(id);
    const { read } = this.#nextList(list, canonicalAll(change.add, list), canonicalAll(change.remove, list));
    return 'errors' in read ? undefined : read.policy;
  }

  #nextList(list: CompiledList, add: ReadonlySet<string>, remove: ReadonlySet<string>, comment?: string): NextList {
    if (list.file === null) return this.#inMemory(list, add, remove);
    return this.#inFile(list, list.file, { add, remove, comment });
  }

  /** Signed pins, as they are kept in that file: they take effect, and are kept, or neither. */
  changePins(by: string, file: string, bytes: Uint8Array): Promise<ConfigurationChange> {
    return this.#inTurn(async () => {
      const content = { bytes, modifiedMs: Date.now() };
      const { contents } = this.#loaded;
      const from: ReadFile = (path) => (path === file ? content : (contents.get(path) ?? readFromDisk(path)));
      const read = this.#read(from, this.#added);
      if ('errors' in read) return this.#refused('pins', by, read.errors, 'the signed pins are not valid here');
      const reason = refusalOf(this.policy, read.policy);
      if (reason !== undefined) return this.#refused('pins', by, read.warnings, reason);
      const written = Written.to(file, bytes);
      if (!(written instanceof Written)) return this.#refused('pins', by, read.warnings, written.error);
      const change = await this.#putIntoForce('pins', by, read, this.#added);
      if (!change.isInForce) written.takeBack();
      return change;
    });
  }

  /** The content in force of a file that was read for it. */
  contentOf(path: string): Uint8Array | undefined {
    return this.#loaded.contents.get(path)?.bytes;
  }

  /** Throws where it is not in force any more, by which somebody has decided. */
  expect({ generation, config }: Seen): void {
    if (generation === this.#generation && config === this.policy.hash) return;
    throw new Error('the configuration was changed meanwhile: look again at what would be written, and for whom');
  }

  async #changeList(by: string, id: string, change: EntriesChange) {
    if (change.seen !== undefined) this.expect(change.seen);
    const list = this.#writable(id);
    const add = canonicalAll(change.add, list);
    const remove = canonicalAll(change.remove, list);
    const had = presentIn(list.entries, [...add, ...remove]);
    const next = this.#nextList(list, add, remove, change.comment);
    if ('errors' in next.read) {
      this.#refused('list', by, next.read.errors, `the list "${id}" cannot be changed so`);
      throw new Error(`the list "${id}" cannot be changed so: ${next.read.errors.map(formatMessage).join('; ')}`);
    }
    const entries = entriesOf(next.read.policy, id);
    // What comes back although it was to go is written in the document, which is not ours to write.
    const [fixed] = presentIn(entries, [...remove]);
    if (fixed !== undefined) throw new Error(`${fixed} is written in ${this.file} itself: remove it there, and reload`);
    const difference = differenceOfSequences(list.entries, entries, ({ canonical }) => canonical);
    const generation = await this.#adopt(by, id, list.file, next);
    return {
      list: id,
      added: difference.added.length,
      removed: difference.removed.length,
      unchanged: [...[...add].filter((entry) => had.has(entry)), ...[...remove].filter((entry) => !had.has(entry))],
      entries: entries.length,
      generation,
      file: list.file,
    };
  }

  /** On the disk first: what has been answered survives everything, and what the queues refuse is taken back. */
  async #adopt(by: string, id: string, file: string | null, { read, text, added }: NextList): Promise<number> {
    const { policy } = read as LoadedConfiguration;
    if (policy.hash === this.policy.hash) return this.#generation;
    const written = file === null || text === undefined ? undefined : Written.to(file, text);
    if (written !== undefined && !(written instanceof Written)) throw new Error(written.error);
    const change = await this.#putIntoForce('list', by, read as LoadedConfiguration, added);
    if (change.isInForce) return change.generation;
    written?.takeBack();
    throw new Error(`the list "${id}" is not changed: ${change.error}`);
  }

  #inMemory({ id }: CompiledList, add: ReadonlySet<string>, remove: ReadonlySet<string>): NextList {
    const entries = new Set([...(this.#added.get(id) ?? []), ...add].filter((entry) => !remove.has(entry)));
    const known = new Set(this.#withoutAdded(id));
    const added = new Map([...this.#added, [id, [...entries].filter((entry) => !known.has(entry))] as const]);
    if (added.get(id)!.length === 0) added.delete(id);
    return { read: this.#read(asLoaded(this.#loaded), added), text: undefined, added };
  }

  #withoutAdded(id: string): string[] {
    const added = new Set(this.#added.get(id) ?? []);
    return entriesOf(this.policy, id).flatMap(({ canonical }) => (added.has(canonical) ? [] : [canonical]));
  }

  /** What somebody else has written to the file meanwhile is kept, and comes into force with the change. */
  #inFile({ kind }: CompiledList, file: string, change: ListChange): NextList {
    const text = editList(readText(file), kind, change);
    const content = { bytes: new TextEncoder().encode(text), modifiedMs: Date.now() };
    const before = asLoaded(this.#loaded);
    const read: ReadFile = (path) => (path === file ? content : before(path));
    return { read: this.#read(read, this.#added), text, added: this.#added };
  }

  #read(read: ReadFile, added: AddedEntries) {
    return readConfiguration(this.file, read, added, this.#loaded.shared);
  }

  #writable(id: string): CompiledList {
    const list = this.policy.lists.find((each) => each.id === id);
    if (list === undefined) {
      const near = nearest(
        id,
        this.policy.lists.map((each) => each.id),
      );
      throw new Error(`there is no list "${id}"${near === undefined ? '' : `: did you mean "${near}"?`}`);
    }
    if (!list.writable) throw new Error(`the list "${id}" is not writable: set "writable": true in ${this.file}`);
    return list;
  }

  async #putIntoForce(kind: ConfigurationChange['kind'], by: string, as: LoadedConfiguration, added: AddedEntries) {
    const read = { ...as, policy: reusing(as.policy, this.policy) };
    const difference = differenceOf(this.policy, read.policy);
    const outcome = await this.#options.apply(read.policy);
    if (!outcome.isInForce) return this.#refused(kind, by, read.warnings, outcome.reason);
    this.#loaded = read;
    this.#added = withoutStrangers(added, read.policy);
    this.#generation = outcome.generation;
    this.#since = new Date();
    this.#began = performance.now();
    // What a list's change does not bring has been said before.
    const change = { ...this.#change(kind, by, kind === 'list' ? [] : read.warnings, null), difference };
    this.#options.onChange(change);
    return change;
  }

  #refused(kind: ConfigurationChange['kind'], by: string, messages: readonly Message[], error: string) {
    const change = this.#change(kind, by, messages, error);
    this.#options.onChange(change);
    return change;
  }

  #change(
    kind: ConfigurationChange['kind'],
    by: string,
    messages: readonly Message[],
    error: string | null,
  ): ConfigurationChange {
    return {
      kind,
      by,
      isInForce: error === null,
      policy: this.policy,
      generation: this.#generation,
      error,
      messages: messages.map(formatMessage),
      difference: null,
    };
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(change).finally(collectSoon);
    this.#changing = changed.catch(() => {}); // whoever asked hears of it
    return changed;
  }
}

interface NextList {
  readonly read: LoadedConfiguration | { readonly errors: readonly Message[] };
  /** Of the list's file; undefined where it has none. */
  readonly text: string | undefined;
  readonly added: AddedEntries;
}

function canonicalAll(entries: readonly string[], { kind }: CompiledList): Set<string> {
  return new Set(
    entries.map((entry, index) => {
      const parsed = parseEntry(entry, kind);
      if ('pin' in parsed) return parsed.pin.canonical;
      throw new Error(entries.length === 1 ? parsed.error : `entry ${index + 1}: ${parsed.error}`);
    }),
  );
}
