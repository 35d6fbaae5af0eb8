/** A document that is to be pushed, as it is on this host: itself, the files that it refers to, and what it would be. */
import { basename, dirname, relative, resolve } from 'node:path';

import type { Package } from '../../fleet/package.ts';
import { type FileContent, readFromDisk, readOrExplain } from '../../pins/document/files.ts';
import { formatMessage } from '../../pins/document/message.ts';
import type { SharedDocument } from '../../pins/document/shared.ts';
import { loadPolicy } from '../../pins/load.ts';
import type { Policy } from '../../pins/policy.ts';

/** Throws a sentence where it cannot be read. */
export function readPackage(file: string): Package {
  const own = readOrExplain(file, readFromDisk);
  if ('error' in own) throw new Error(own.error);
  const files = new Map<string, FileContent>([[basename(file), own]]);
  // What it refers to is what reading it asks for; what is wrong with it is said when it is read as what it is to be.
  loadPolicy(file, (path) => {
    const content = readFromDisk(path);
    if (resolve(path) !== resolve(file)) files.set(relative(dirname(resolve(file)), path), content);
    return content;
  });
  return { file: basename(file), files };
}

/** The policy that a gateway with this configuration would have of it. Throws, all that is wrong said, where it is none. */
export function policyWith(configuration: string, shared: SharedDocument): Policy {
  const loaded = loadPolicy(configuration, readFromDisk, Date.now(), new Map(), shared);
  const messages = 'errors' in loaded ? loaded.errors : loaded.warnings;
  process.stderr.write(messages.map((message) => `${formatMessage(message)}\n`).join(''));
  if ('policy' in loaded) return loaded.policy;
  throw new Error(`${shared.file} is not valid beside ${configuration}: nothing was pushed`);
}
