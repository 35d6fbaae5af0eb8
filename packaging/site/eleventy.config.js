/**
 * The site: README.md, docs/ and what they lead to, as pages whose links need no server (`npm run docs`). Its contents are
 * those of docs/README.md. A link to a page, a heading or a file that is not there is an error, and so is a page that the
 * contents leave out. Knows no words of any page.
 */
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

const { dirname, join, normalize } = posix;

export default function site(eleventy) {
  const faults = [];
  eleventy.addGlobalData('layout', 'page.liquid');
  eleventy.addGlobalData('permalink', () => (data) => placeOf(data.page.inputPath));
  eleventy.addGlobalData('contents', contents);
  eleventy.addGlobalData('eleventyComputed.title', () => (data) => /^# (.+)$/m.exec(data.page.rawInput)?.[1]);
  eleventy.addGlobalData('eleventyComputed.place', () => (data) => placeOf(data.page.inputPath));
  eleventy.addFilter('from', relative);
  eleventy.addFilter('headings', headings);
  eleventy.addPassthroughCopy({ 'packaging/site/style.css': 'style.css' });
  eleventy.addPassthroughCopy('docs/**/*.png');
  for (const folder of NO_PAGES) eleventy.ignores.add(folder);
  eleventy.amendLibrary('md', (markdown) => {
    markdown.core.ruler.push('headings', nameHeadings);
    markdown.core.ruler.push('links', (state) => leadLinks(state, faults));
  });
  eleventy.on('eleventy.after', ({ results }) => {
    faults.push(...deadLinks(results), ...leftOut(results), ...cutRows(results));
    process.stderr.write(faults.map((fault) => `${fault}\n`).join(''));
    if (faults.length > 0) throw new Error(`the site has ${faults.length} faults, which are named above`);
  });
  return {
    dir: { input: '.', includes: 'packaging/site', output: 'site' },
    templateFormats: ['md'],
    markdownTemplateEngine: false,
  };
}

/** What is made of a page: of a folder's README.md its index. */
function placeOf(page) {
  return `/${normalize(page)}`.replace(/README\.md$/, 'index.html').replace(/\.md$/, '.html');
}

/** As GitHub names headings, so that links hold in both places. */
function nameHeadings({ tokens }) {
  const names = new Map();
  for (const [index, token] of tokens.entries()) {
    if (token.type !== 'heading_open') continue;
    const text = tokens[index + 1].children.map(({ content }) => content).join('');
    const name = text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const before = names.get(name) ?? 0;
    names.set(name, before + 1);
    token.attrSet('id', before === 0 ? name : `${name}-${before}`);
  }
}

/** Links to pages lead to what is made of them; what is no page is named only. */
function leadLinks({ tokens, env }, faults) {
  const page = normalize(env.page.inputPath);
  for (const token of tokens.flatMap(({ children }) => children ?? [])) {
    const href = token.type === 'link_open' ? token.attrGet('href') : null;
    if (href === null || /^(https?:|#)/.test(href)) continue;
    const [path, heading = ''] = href.split(/(?=#)/);
    const target = join(dirname(page), path);
    const isThere = existsSync(target);
    if (!isThere) faults.push(`${page}: ${href}: no such file`);
    if (isThere && target.endsWith('.md')) token.attrSet('href', relative(placeOf(target), placeOf(page)) + heading);
    else token.attrs = token.attrs.filter(([name]) => name !== 'href');
  }
}

/** Of the pages that were made: links to pages that were not, or to headings that they do not have. */
function deadLinks(results) {
  const pages = new Map(
    results.map(({ inputPath, content }) => [placeOf(inputPath), new Set(all(content, / id="([^"]+)"/g))]),
  );
  return results.flatMap(({ inputPath, content }) =>
    all(content, /<a [^>]*href="([^"]+)"/g)
      .filter((href) => !/^https?:/.test(href))
      .filter((href) => {
        const { pathname, hash } = new URL(href, `file://${placeOf(inputPath)}`);
        const names = pages.get(pathname);
        return names === undefined || (hash !== '' && !names.has(decodeURIComponent(hash.slice(1))));
      })
      .map((href) => `${normalize(inputPath)}: ${href}: no such page or heading`),
  );
}

/** Pages of docs/ that the contents do not name. */
function leftOut(results) {
  const named = new Set([placeOf(CONTENTS), ...contents().flatMap(({ pages }) => pages.map(({ place }) => place))]);
  return results
    .map(({ inputPath }) => normalize(inputPath))
    .filter((page) => page.startsWith('docs/') && !named.has(placeOf(page)))
    .map((page) => `${page}: ${CONTENTS} does not name it`);
}

/** Rows of tables with another number of cells than their head: what is beyond it nobody would see. */
function cutRows(results) {
  return results.flatMap(({ inputPath }) => {
    const lines = readFileSync(inputPath, 'utf8').split('\n');
    const cells = lines.map((line) => (line.startsWith('|') ? line.split(/(?<!\\)\|/).length : 0));
    return cells.flatMap((count, index) => {
      const head = cells.lastIndexOf(0, index) + 1;
      return count === 0 || count === cells[head]
        ? []
        : [`${normalize(inputPath)}:${index + 1}: a row of another length`];
    });
  });
}

/** The sections of the contents, with their pages. */
function contents() {
  const [, ...sections] = readFileSync(CONTENTS, 'utf8').split(/^## /m);
  return sections.map((section) => ({
    title: section.split('\n', 1)[0],
    pages: [...section.matchAll(/^\* \[([^\]]+)\]\(([^)#]+\.md)\)/gm)].map(([, title, path]) => ({
      title,
      place: placeOf(join(dirname(CONTENTS), path)),
    })),
  }));
}

function headings(content) {
  return [...content.matchAll(/<h2 id="([^"]+)"[^>]*>(.*?)<\/h2>/g)].map(([, name, text]) => ({ name, text }));
}

/** As a page leads there. */
function relative(place, page) {
  return posix.relative(dirname(page), place);
}

function all(text, pattern) {
  return [...text.matchAll(pattern)].map(([, found]) => found);
}

const CONTENTS = 'docs/README.md';
/** Markdown that is for whoever works in these folders. */
const NO_PAGES = ['.ci/**', 'build/**', 'dist/**', 'native/*/**', 'packaging/**', 'src/**', 'test/**'];
