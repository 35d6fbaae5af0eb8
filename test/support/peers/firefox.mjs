/**
 * Firefox without a window, told by Marionette where to go: a fresh profile that trusts the authorities of a file, and nothing
 * that it does by itself. Each visit gives the page's text, or what it says instead.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `forceResolve`: the address of every name; undefined: names are asked for as ever. */
export async function openFirefox({ ca, forceResolve }) {
  const home = mkdtempSync(join(tmpdir(), 'firefox-'));
  trust(home, ca);
  const preferences = { ...PREFERENCES, ...(forceResolve && { 'network.dns.forceResolve': forceResolve }) };
  const lines = Object.entries(preferences).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
  writeFileSync(join(home, 'user.js'), lines.join(''));
  const args = ['--headless', '--no-remote', '--marionette', '--profile', home];
  const browser = spawn('firefox-esr', args, { stdio: 'ignore', env: { ...process.env, HOME: home } });
  const ended = once(browser, 'exit');
  const marionette = await connected(join(home, 'MarionetteActivePort'));
  await marionette('WebDriver:NewSession', { pageLoadStrategy: 'normal', timeouts: { pageLoad: 10_000 } });
  return {
    /** The text of the page, or undefined where it cannot be had. */
    async visit(url) {
      try {
        await marionette('WebDriver:Navigate', { url });
        return await marionette('WebDriver:GetPageSource', {}).then(({ value }) => value);
      } catch {
        return undefined;
      }
    },
    async close() {
      await marionette('Marionette:Quit', { flags: ['eForceQuit'] }).catch(() => {});
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function trust(home, ca) {
  const certutil = (...args) => spawnSync('certutil', [...args, '-d', `sql:${home}`], { stdio: 'ignore' });
  certutil('-N', '--empty-password');
  const pems = readFileSync(ca, 'latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  for (const [at, pem] of pems.entries()) {
    const file = join(home, 'ca.pem');
    writeFileSync(file, pem);
    certutil('-A', '-n', `authority ${at}`, '-t', 'C,,', '-i', file);
  }
}

/** Commands and their answers, once the port that it listens on is known. */
async function connected(portFile) {
  let port;
  for (let tries = 0; port === undefined; tries++) {
    if (tries === 300) throw new Error('Firefox does not begin to listen');
    await new Promise((resolve) => setTimeout(resolve, 100));
    try {
      port = Number(readFileSync(portFile, 'utf8')) || undefined;
    } catch {
      // not there yet
    }
  }
  const socket = connect(port, '127.0.0.1');
  const waiting = new Map();
  let heard = Buffer.alloc(0);
  const fail = () => {
    for (const { reject } of waiting.values()) reject(new Error('Firefox has gone'));
    waiting.clear();
  };
  socket.on('error', fail).on('close', fail);
  const hello = new Promise((resolve) => waiting.set(undefined, { resolve, reject: resolve }));
  socket.on('data', (bytes) => {
    heard = Buffer.concat([heard, bytes]);
    for (;;) {
      const colon = heard.indexOf(':');
      const length = Number(heard.subarray(0, Math.max(0, colon)).toString());
      if (colon < 0 || heard.length < colon + 1 + length) return;
      const message = JSON.parse(heard.subarray(colon + 1, colon + 1 + length).toString());
      heard = heard.subarray(colon + 1 + length);
      const [, id, error, result] = Array.isArray(message) ? message : [];
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      if (error) reject(new Error(error.message));
      else resolve(result);
    }
  });
  await hello;
  let last = 0;
  return (name, parameters) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      const text = JSON.stringify([0, id, name, parameters]);
      socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
}

/** Nothing but what it is told to fetch. */
const PREFERENCES = {
  'marionette.port': 0,
  'app.update.disabledForTesting': true,
  'browser.chrome.site_icons': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
};
