/**
 * A file that was written for a configuration that may still be refused: then it is as it was before, so that the next
 * start does not read what was answered to be nothing. Whoever ends in between has written it.
 */
import { readFileSync, rmSync, statSync } from 'node:fs';

import { writeListFile } from '../../../pins/lists/list-file.ts';

export class Written {
  readonly #file: string;
  readonly #before: Uint8Array | undefined;

  private constructor(file: string, before: Uint8Array | undefined) {
    this.#file = file;
    this.#before = before;
  }

  /** The error is a sentence, with the file as it was. */
  static to(file: string, content: string | Uint8Array): Written | { readonly error: string } {
    try {
      const isThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
      const written = new Written(file, isThere ? readFileSync(file) : undefined);
      writeListFile(file, content);
      return written;
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  /** Throws a sentence where that cannot be done either. */
  takeBack(): void {
    if (this.#before === undefined) rmSync(this.#file, { force: true });
    else writeListFile(this.#file, this.#before);
  }
}
