/** The token on the disk: of mode 0600 from its first moment on, and taken away again by whoever wrote it, nobody else. */
import { closeSync, constants, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export class TokenFile {
  readonly path: string;
  readonly #text: string;

  /** Nobody else's file is written to. Throws a sentence. */
  constructor(path: string, token: string) {
    this.path = path;
    this.#text = `${token}\n`;
    try {
      rmSync(path, { force: true });
      const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
      const descriptor = openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
      writeFileSync(descriptor, this.#text);
      closeSync(descriptor);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new Error(`the token cannot be written to ${path} (${code}): choose another place with --token-file`, {
        cause,
      });
    }
  }

  /** Another console may have written its own there since: inodes are used again, tokens are not. */
  remove(): void {
    let now: string;
    try {
      now = readFileSync(this.path, 'utf8');
    } catch {
      return;
    }
    if (now === this.#text) rmSync(this.path, { force: true });
  }
}

/** Two consoles of one user listen on two ports. */
export function defaultTokenFile(port: number): string {
  const { RUNTIME_DIRECTORY, XDG_RUNTIME_DIR } = process.env;
  return join(RUNTIME_DIRECTORY || XDG_RUNTIME_DIR || homedir(), `tlspin-web-${port}.token`);
}
