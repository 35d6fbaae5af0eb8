/** The console in a real browser, of a real engine between real clients and servers: what a person sees, and answers. */
import type { Browser } from 'playwright-core';
import { afterEach, describe, expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { Child } from '../../src/runtime/demo/child.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { startBrowser, WatchedPage } from '../support/lab/browser.ts';
import { Engine, TLSPIN } from '../support/lab/engine.ts';
import { requestWithNode, requestWithOpenssl, startTlsServer } from '../support/lab/peers.ts';
import { ca, forged, genuine, lab } from '../support/lab/twins-of-each.ts';
import { lacks } from '../support/programs.ts';

const ORIGIN = 'http://127.0.0.1:8478';
const SCRIPT = '<img src=x onerror=hit=1>.example';

let browser: Browser | undefined;
let web: Child | undefined;
afterEach(async () => {
  await browser?.close();
  await web?.stop();
});

describe.skipIf(lacks('chromium'))('the console in Chromium', () => {
  it('asks about a changed certificate, takes the answer, and survives what peers and engines do', async () => {
    const engine = await Engine.start(lab, {
      config: {
        control: { socket: 'control.sock' },
        log: { unpinned: true },
        lists: { accepted: { file: 'accepted.list', writable: true } },
        pinsets: [{ name: 'bank', match: { hosts: [HOST] }, pins: [spkiPin(genuine.cert), '@accepted'] }],
      },
    });
    let server = await startTlsServer(lab, 'server', { identity: genuine });
    expect(await request()).toBeNull();
    const link = await startConsole();
    browser = await startBrowser();
    const watched = await WatchedPage.open(browser, ORIGIN);
    const { page } = watched;

    await page.goto(ORIGIN);
    await page.getByLabel('Token or password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('That is not the token of this console.').waitFor();
    expect(await watched.violations()).toEqual([]);
    await page.goto(link);
    await page.getByText('The network is protected.').waitFor();
    await page.getByText('nothing waits for an answer').waitFor();
    expect(await watched.violations()).toEqual([]);

    await server.stop();
    server = await startTlsServer(lab, 'server', { identity: forged });
    expect(await request()).not.toBeNull();
    const entry = page.getByRole('article', { name: HOST });
    await entry.getByText('The key is another one.').waitFor();
    await page.getByText('1 waits for an answer').waitFor();

    // By keyboard alone.
    await entry.getByRole('button', { name: 'Accept this key…' }).focus();
    await page.keyboard.press('Enter');
    await entry.getByText('1 connection of late that was refused').waitFor();
    await entry.getByRole('button', { name: 'Accept it for pinset bank (1 host)' }).waitFor();
    expect(await watched.violations()).toEqual([]);
    await page.keyboard.type('their hotline says so');
    await page.keyboard.press('Enter');
    await entry.getByText(/^Accepted by .*: “their hotline says so”$/).waitFor();
    expect(await request()).toBeNull();

    await requestWithOpenssl(lab, 'client', { host: lab.address('server'), servername: SCRIPT, ca: ca.cert });
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByText(SCRIPT).waitFor();
    expect(await page.evaluate('typeof hit')).toBe('undefined');
    await page.getByLabel('only what is denied').check();
    await page.getByText('1 verdict', { exact: true }).waitFor();
    expect(page.url()).toBe(`${ORIGIN}/live?denied=true`);
    await page.getByRole('link', { name: HOST }).click();
    await page.getByRole('heading', { name: 'Pins of bank beside the certificates' }).waitFor();
    const steps = page.locator('.steps li');
    for (const step of [/client.*ClientHello/, /server.*ServerHello/, /tlspin.*decides/]) {
      await steps.filter({ hasText: step }).first().waitFor();
    }

    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByRole('heading', { name: 'Queues' }).waitFor();

    // A certificate that would like to be more than text.
    const issuer = lab.certificates.authority(SCRIPT);
    await server.stop();
    server = await startTlsServer(lab, 'server', {
      identity: lab.certificates.leaf('scripted', { issuer, names: [HOST], key: 'rsa' }),
    });
    expect(await request()).not.toBeNull();
    await page.getByRole('link', { name: 'Inbox' }).click();
    await page
      .getByText(/CN=.*img src.*onerror/)
      .first()
      .waitFor();
    await page.getByRole('link', { name: 'How the last connection was decided' }).first().click();
    await page.getByRole('heading', { name: 'Certificates as they were shown' }).waitFor();
    await page
      .getByText(/CN=.*img src.*onerror/)
      .first()
      .waitFor();
    expect(await page.evaluate('typeof hit')).toBe('undefined');

    await engine.kill();
    await page.getByText('Nobody can tell whether the network is protected').waitFor();
    await engine.run();
    await page.getByText('The network is protected.').waitFor();
    expect(watched.complaints).toEqual([]);
  }, 240_000);
});

async function request(): Promise<string | null> {
  const [outcome] = await requestWithNode(lab, 'client', {
    host: lab.address('server'),
    servername: HOST,
    ca: ca.cert,
  });
  return outcome!.error;
}

/** The link that signs in. */
async function startConsole(): Promise<string> {
  const files = ['--control', lab.path('control.sock'), '--token-file', lab.path('token')];
  const [node = '', ...tlspin] = TLSPIN;
  web = new Child(node, [...tlspin, 'web', '--listen', '127.0.0.1:8478', '--allow-changes', ...files]);
  await web.says(/the token is in/);
  return web.output.trim();
}
