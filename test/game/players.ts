/**
 * Clients that ask one server after the other, each time as if for the first time, and such as connect and go away again:
 * as a pool does with what it needs no more, or a browser with what it opened ahead of time.
 */
import { chmodSync } from 'node:fs';

import { chromium } from 'playwright-core';

import type { Lab } from '../support/lab/lab.ts';
import type { Request } from '../support/lab/peers.ts';
import { isHere, type lacks } from '../support/programs.ts';

/** Resolves when it has asked so many times. */
export type Loop = (lab: Lab, times: number, ports: readonly number[], request: Request) => Promise<void>;

interface Programs {
  readonly goProgram: (name: string) => string;
  readonly lacks: typeof lacks;
}

export function loops({ goProgram, lacks }: Programs): Record<string, Loop> {
  return {
    curl: shellLoop(({ host, servername, ca }) => {
      const there = `${servername}:$port`;
      return `curl -s -o /dev/null -m 8 --cacert ${ca} --connect-to ${there}:${host}:$port https://${there}/`;
    }),
    openssl: shellLoop(
      ({ host, servername, ca }) =>
        `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 8 openssl s_client -connect ${host}:$port -servername ${servername} -CAfile ${ca} -quiet >/dev/null 2>&1`,
    ),
    node: scriptLoop(['-e', NODE], { said: 'GET / HTTP/1.0\r\n\r\n' }),
    ...(lacks('chromium') ? {} : { chromium: browse }),
    ...(lacksFirefox() ? {} : { firefox: scriptLoop([FIREFOX]) }),
    ...(lacks('go')
      ? {}
      : {
          go: shellLoop(({ host, servername, ca }) => {
            const options = JSON.stringify({ Host: host, Servername: servername, Ca: ca, Timeout: 8_000 });
            return `${goProgram('tls-client')} '${options.slice(0, -1)},"Port":'$port'}' >/dev/null`;
          }),
        }),
  };
}

/** The same that ask for nothing. Chromium, as it is told what to do here, opens nothing ahead of time. */
export function leavers(): Record<string, Loop> {
  return {
    openssl: shellLoop(
      ({ host, servername, ca }) =>
        `timeout 8 openssl s_client -connect ${host}:$port -servername ${servername} -CAfile ${ca} </dev/null >/dev/null 2>&1`,
    ),
    node: scriptLoop(['-e', NODE], { said: '' }),
    ...(lacksFirefox() ? {} : { firefox: scriptLoop([FIREFOX], { leaves: true }) }),
  };
}

function lacksFirefox(): boolean {
  const missing = ['firefox-esr', 'certutil'].filter((program) => !isHere(program));
  if (missing.length > 0) console.log(`firefox is left out: no ${missing.join(', no ')} here`);
  return missing.length > 0;
}

/** A program of Node's that goes from server to server. */
function scriptLoop(program: readonly string[], options: object = {}): Loop {
  return async (lab, times, ports, { host, servername, ca }) => {
    const words = JSON.stringify({ times, ports, host, servername, ca, ...options });
    const child = lab.start('client', [process.execPath, ...program, words]);
    await child.ended;
  };
}

function shellLoop(command: (request: Request) => string): Loop {
  return async (lab, times, ports, request) => {
    const all = Array.from({ length: times }, (_, at) => ports[at % ports.length]).join(' ');
    const child = lab.start('client', ['sh', '-c', `for port in ${all}; do ${command(request)} || :; done`]);
    await child.ended;
  };
}

/** In one browser, which is a new one to each round of servers: nothing is resumed. */
const browse: Loop = async (lab, times, ports, { host, servername }) => {
  const command = lab.network.inside('client', ['chromium']);
  const executablePath = lab.write('chromium', `#!/bin/sh\nexec ${command.flat().join(' ')} "$@"\n`);
  chmodSync(executablePath, 0o755);
  const args = ['--no-sandbox', '--ignore-certificate-errors', `--host-resolver-rules=MAP ${servername} ${host}`];
  const browser = await chromium.launch({ executablePath, args });
  for (let at = 0; at < times;) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    for (const port of ports) {
      if (at++ >= times) break;
      await page.goto(`https://${servername}:${port}/`, { timeout: 8_000 }).catch(() => undefined);
    }
    await context.close();
  }
  await browser.close();
};

const FIREFOX = new URL('firefox.mjs', import.meta.url).pathname;
const NODE = `
const { times, ports, said, ...request } = JSON.parse(process.argv[1]);
const ca = require('node:fs').readFileSync(request.ca);
const ask = (at) => {
  if (at === times) return;
  const socket = require('node:tls').connect({ ...request, ca, port: ports[at % ports.length] }, () => {
    socket.end(said);
  });
  socket.resume().on('error', () => {}).on('close', () => ask(at + 1));
};
ask(0);
`;
