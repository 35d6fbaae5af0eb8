/**
 * The page's files, read once: what is not among them is not to be had, whatever a path says. Compressed ahead. Files
 * whose names tell their content may be kept by browsers; the others are asked for again.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

import type { Context } from 'hono';

import { type Env, fail } from './guard.ts';

interface File {
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

export class Page {
  readonly #files = new Map<string, File>();

  /** Throws a sentence where the folder is not there. */
  constructor(folder: string) {
    let names: string[];
    try {
      names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    } catch (cause) {
      throw new Error(`the console's page is not there (${folder}): npm run build`, { cause });
    }
    for (const name of names) {
      const type = TYPES[extname(name)];
      if (type !== undefined) this.#files.set(`/${name}`, fileOf(type, readFileSync(join(folder, name))));
    }
  }

  /** Every other path is one of the page's own, which it finds in the address by itself. */
  answer(context: Context<Env>): Response {
    const { path } = context.req;
    const file = this.#files.get(path) ?? (extname(path) === '' ? this.#files.get('/index.html') : undefined);
    if (file === undefined) return fail(context, 404, 'there is nothing of that name');
    context.header('cache-control', 'no-cache');
    context.header('etag', file.etag);
    context.header('vary', 'accept-encoding');
    if (context.req.header('if-none-match') === file.etag) return context.body(null, 304);
    context.header('content-type', file.type);
    const isCompressed = /\bgzip\b/.test(context.req.header('accept-encoding') ?? '');
    if (isCompressed) context.header('content-encoding', 'gzip');
    return context.body(isCompressed ? file.gzip : file.plain);
  }
}

function fileOf(type: string, bytes: Buffer): File {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  return { type, plain: Uint8Array.from(bytes), gzip: Uint8Array.from(gzipSync(bytes)), etag };
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};
