/** Debian's Chromium, driven by Playwright, with axe in every page; it says what a page should not have had to say. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { type Browser, chromium, type Page } from 'playwright-core';

const AXE = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));

export class WatchedPage {
  readonly page: Page;
  /** What the browser has complained about, what the page has thrown, and requests to elsewhere. */
  readonly complaints: string[] = [];

  private constructor(page: Page, origin: string) {
    this.page = page;
    page.on('pageerror', ({ message }) => this.complaints.push(message));
    page.on('console', (said) => {
      // Without a session the page is told so, and the browser tells everybody.
      if (said.type() === 'error' && !said.text().includes('401')) this.complaints.push(said.text());
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith('data:')) this.complaints.push(url);
    });
  }

  /** With cookies of its own. */
  static async open(browser: Browser, origin: string): Promise<WatchedPage> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: 'Europe/Berlin' });
    await context.addInitScript({ path: AXE });
    return new WatchedPage(await context.newPage(), origin);
  }

  /** What axe finds, in light and in dark, wide and narrow, each beside each. */
  async violations(): Promise<string[]> {
    const found = new Set<string>();
    for (const [colorScheme, width] of PICTURES) {
      await this.#as(colorScheme, width);
      const nodes = (await this.page.evaluate(RUN_AXE)) as string[];
      for (const node of nodes) found.add(`${colorScheme} ${width}: ${node}`);
      if (await this.page.evaluate('document.documentElement.scrollWidth > innerWidth')) {
        found.add(`${width}: wider than its window`);
      }
    }
    await this.#as('light', 1280);
    return [...found];
  }

  /** Only where somebody asks for pictures: TLSPIN_PICTURES=docs/console, which `pngquant` then makes small. */
  async pictures(name: string): Promise<void> {
    const folder = process.env['TLSPIN_PICTURES'];
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true });
    for (const [colorScheme, width] of PICTURES) {
      await this.#as(colorScheme, width);
      await this.page.waitForTimeout(SETTLED_MS);
      const path = `${folder}/${pictureOf(name, colorScheme, width)}`;
      await this.page.screenshot({ path, animations: 'disabled', fullPage: true });
    }
    await this.#as('light', 1280);
  }

  async #as(colorScheme: 'light' | 'dark', width: number): Promise<void> {
    await this.page.emulateMedia({ colorScheme });
    await this.page.setViewportSize({ width, height: width < 500 ? 844 : (width * 3) / 4 });
  }
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
}

export function pictureOf(name: string, colorScheme: string, width: number): string {
  return `${name}-${colorScheme}-${width}.png`;
}

export const PICTURES = [
  ['light', 1280],
  ['dark', 1280],
  ['light', 390],
  ['dark', 390],
] as const;
/** For plots, which are drawn again when the window changes. */
const SETTLED_MS = 300;
const RUN_AXE = `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => id + ': ' + html.slice(0, 200) + ' ' + failureSummary)))`;
