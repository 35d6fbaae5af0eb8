/**
 * Gives memory back behind work that needs much of it for a moment, such as reading a configuration. V8 by itself lets the
 * old generation grow to several times what was in use when it last collected it, which may have been in the midst of
 * that work, and keeps it then, however idle. Knows V8, and nothing of whose garbage it is.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Once this thread comes to it, and once for all that is asked for meanwhile: a collection stops the thread. */
export function collectSoon(): void {
  waiting ??= setTimeout(() => {
    waiting = undefined;
    collect ??= collection();
    collect?.();
  }, DELAY_MS).unref();
}

/**
 * Behind a start, where nothing waits for this thread yet: what loading took is given back too, the room for what is young
 * included, which only the inspector's collection does before Node 22. Resolves when that is done, or cannot be had: a Node
 * may have been built without it.
 */
export async function giveBackStart(): Promise<void> {
  try {
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    await session.post('HeapProfiler.collectGarbage').finally(() => session.disconnect());
  } catch {
    // What could have been given back stays: nothing else depends on it.
  }
}

/** A full one, that gives pages back too. */
function collection(): (() => void) | undefined {
  for (let tries = 0; tries < TRIES; tries++) {
    // Only what is made while the flag is set has it, and other threads take it back behind their own.
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('globalThis.gc') as ((how?: object) => void) | undefined;
    setFlagsFromString('--no-expose-gc');
    if (gc === undefined) continue;
    // V8 before that of Node 22 gives them back anyway, and takes any object to mean a minor collection.
    return Number.parseInt(process.versions.v8) < 12 ? () => gc() : () => gc(LAST_RESORT);
  }
  return undefined;
}

let waiting: NodeJS.Timeout | undefined;
let collect: (() => void) | undefined;
const DELAY_MS = 1000;
const TRIES = 100;
const LAST_RESORT = { type: 'major', execution: 'sync', flavor: 'last-resort' };
