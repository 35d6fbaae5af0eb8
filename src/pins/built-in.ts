/**
 * The policy of a configuration that no file holds and that is known to be right: nothing of it is looked for or at, so
 * that whoever needs no other one is spared the schema, which takes longer to load than a small capture to read.
 */
import { compile } from './compile/compile.ts';
import { ReferredFiles } from './document/files.ts';
import type { Reporter } from './document/message.ts';
import type { Configuration } from './document/schema.ts';
import type { Policy } from './policy.ts';

/** What `loadPolicy` makes of a file with that text. */
export function builtInPolicy(text: string): Policy {
  const files = new ReferredFiles(NAME, () => refuse('refers to a file'));
  const policy = compile(JSON.parse(text) as Configuration, { files, filesAt: () => files }, Date.now(), NOBODY);
  return { hash: files.hash(new TextEncoder().encode(text), ''), ...policy };
}

function refuse(what: string): never {
  throw new Error(`a configuration that is built in ${what}`);
}

const NAME = 'built in';
const NOBODY: Reporter = {
  errorCount: 0,
  error: (_, text) => refuse(`has an error: ${text}`),
  warning: () => {},
  note: () => {},
  errorIn: (_, __, text) => refuse(`has an error: ${text}`),
  place: () => NAME,
};
