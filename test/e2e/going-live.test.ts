/** The page "Going live", step by step: its configuration and its commands, as they stand there. */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { ROOT } from '../support/built.ts';
import { NAME } from '../support/lab/bank.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, forged, genuine, lab } from '../support/lab/twins-of-each.ts';

const PAGE = readFileSync(`${ROOT}docs/going-live.md`, 'utf8');
const [, CONFIGURATION] = /```jsonc\n(.*?)```/s.exec(PAGE)!;

describe('going live', () => {
  it('refuses nobody before the last step, and then the forged server', async () => {
    const configuration = CONFIGURATION!
      .replace('sha256//5lHR…=', spkiPin(genuine.cert))
      .replace('wyJT…=', `${'A'.repeat(43)}=`);
    lab.write('tlspin.json', configuration);
    await startTlsServer(lab, 'server', { identity: forged });

    const [check, run, apply, health] = commands('Report only');
    expect(await done(check!)).toMatchObject({ code: 0 });
    await lab.start('gateway', ['sh', '-c', `exec ${here(run!)}`]).says(/bound/);
    expect(await done(apply!)).toEqual({ code: 0, said: '' });
    expect(await visit()).toBeNull();
    const { code, said } = await done(health!);
    expect(code).toBe(1);
    expect(said.match(/^[a-z]+\.[a-z-]+/gm)).toEqual(['pinset.report-only']);

    const [denied, why] = commands('Adopt');
    expect((await done(denied!)).said).toMatch(/ accept \(would: tls-alert\) +pin-mismatch +bank /);
    expect((await done(why!)).said).toContain(
      `{ "pin": "${spkiPin(forged.cert).replace('sha256//', 'spki-sha256:')}", `,
    );

    lab.write('tlspin.json', configuration.replace('"mode": "report-only",', ''));
    const [follow, dryRun] = commands('Watch');
    expect((await done(`timeout 3 ${follow!}`)).said).toContain('accept (would: tls-alert)');
    expect(await done(dryRun!)).toMatchObject({
      code: 0,
      said: expect.stringContaining('would deny 1 of the last 1,'),
    });
    expect(await visit()).toBeNull();

    const [reload, applyClosed, healthy, remove] = commands('Enforce');
    expect(await done(reload!)).toMatchObject({ code: 0 });
    expect(await done(applyClosed!)).toEqual({ code: 0, said: '' });
    expect(await visit()).not.toBeNull();
    // That the rules were changed is told for a while.
    await expect
      .poll(() => done(healthy!), { timeout: 60_000 })
      .toMatchObject({ code: 0, said: expect.stringContaining('protected') });
    expect(await done(remove!)).toEqual({ code: 0, said: '' });
    expect(await visit()).toBeNull();
  }, 180_000);
});

/** Of a section of the page. */
function commands(heading: string): string[] {
  const section = PAGE.slice(PAGE.indexOf(`\n## ${heading}\n`)).split(/\n## /)[1]!;
  return [...section.matchAll(/```sh\n(.*?)\n```/gs)].flatMap(([, block]) => block!.split('\n'));
}

async function done(command: string): Promise<{ code: number | null; said: string }> {
  const child = lab.start('gateway', ['sh', '-c', here(command)]);
  const { code } = await child.ended;
  return { code, said: child.output + child.errors };
}

/** The command in the lab: this program, as root already, and the lab's own folder. */
function here(command: string): string {
  return command
    .replace('sudo ', '')
    .replace('tlspin', TLSPIN.join(' '))
    .replace('/etc/', `${lab.directory}/`)
    .replace('/var/log/', `${lab.directory}/log-`);
}

async function visit(): Promise<string | null> {
  const request = { host: lab.address('server'), servername: NAME, ca: ca.cert };
  return (await requestWithNode(lab, 'client', request))[0]!.error;
}
