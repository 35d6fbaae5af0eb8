/**
 * The console's page, from what is in this folder: one script, one style sheet, one document, in dist/page or the
 * folder that is named. `node web/build.mjs [FOLDER]`
 */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [, , asked] = process.argv;
const out = asked ?? here('../dist/page');

if (asked === undefined) rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  entryPoints: [here('console.ts'), here('console.css')],
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome111', 'firefox115', 'safari16'],
  // Licences of what is bundled stay with it.
  legalComments: 'eof',
  logLevel: 'warning',
});
copyFileSync(here('index.html'), `${out}/index.html`);
