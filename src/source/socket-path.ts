/**
 * A place for a unix socket: a socket that a dead process left there is removed, and whatever else is there is
 * somebody's. Throws a sentence that names the place.
 */
import { lstatSync, type Stats, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/** `what`: how the sentence begins, such as `control socket`. `shown`: the path by which people know it. */
export async function clearSocketPath(path: string, what: string, shown = path): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new Error(`${what} ${path}: the path of a socket has ${LONGEST_PATH} octets at the most`);
  }
  const stats = entryAt(path, `${what} ${shown}`);
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new Error(`${what} ${shown}: there is a file of that name: remove it`);
  if (await hasListener(path)) {
    throw new Error(`${what} ${shown}: somebody listens there already: stop that tlspin, or choose another path`);
  }
  try {
    unlinkSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`${what} ${shown}: what a dead process has left there cannot be removed (${code}): remove it`, {
      cause,
    });
  }
}

/** Undefined where nothing is there. Throws a sentence where that cannot be seen. */
export function entryAt(path: string, name: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const cure = code === 'EACCES' ? ': let the user that tlspin runs as into the folders that lead there' : '';
    throw new Error(`${name}: cannot be looked at (${code})${cure}`, { cause });
  }
}

/** Only a refused connection tells that nobody listens: one that may not be made, or that waits, does not. */
export async function hasListener(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.setTimeout(PATIENCE_MS, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code !== 'ECONNREFUSED'));
    const settle = (isTaken: boolean): void => {
      socket.destroy();
      resolve(isTaken);
    };
  });
}

/** sun_path of sockaddr_un holds 108 octets with the one that ends it. */
const LONGEST_PATH = 107;
const PATIENCE_MS = 1_000;
