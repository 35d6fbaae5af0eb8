/** `tlspin fleet push` and `rollback`: a document signed and sent to all gateways, or one that was sent before. */
import { hostname, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Command, InvalidArgumentError } from 'commander';

import type { OpenedDocument, Terms } from '../../fleet/documents.ts';
import type { GatewayStatus } from '../../fleet/publisher.ts';
import { parseDuration } from '../../pins/document/dates.ts';
import { addExamples } from '../help.ts';
import { Output } from '../output.ts';
import { policyWith, readPackage } from './document.ts';
import { type FleetFlags, readSecretKey, type Session, withFleet, withFleetFlags } from './session.ts';
import { showGateways } from './status.ts';

interface PushFlags extends FleetFlags {
  readonly key: string;
  /** Milliseconds. */
  readonly for: number;
  readonly canary?: string;
  readonly reportOnly?: true;
  readonly force?: true;
}

export function addPush(fleet: Command): void {
  const push = withSigning(fleet.command('push'))
    .summary('send pinsets and lists to all gateways')
    .description(
      'Sign a document of pinsets and lists, with the files that it refers to, and send it to all gateways of the fleet. ' +
        'Each checks it as `tlspin check` would, tries it on its decisions of late, and takes or refuses it; what they ' +
        'did is shown.',
    )
    .argument('<file>', 'the document')
    .option('--canary <gateway>', 'only this gateway takes it')
    .option('--report-only', 'its pinsets let pass what they would deny, and log it')
    .action((file: string, flags: PushFlags, command: Command) =>
      withFleet(flags, command, (session) => pushFile(session, file, flags)),
    );
  addExamples(
    push,
    { command: 'tlspin fleet push office.json -c tlspin.json --canary gw1', does: 'try it on one gateway' },
    { command: 'tlspin fleet push office.json -c tlspin.json', does: 'and then on all of them' },
  );
}

export function addRollback(fleet: Command): void {
  const rollback = withSigning(fleet.command('rollback'))
    .summary('send a version of before again')
    .description('Sign a document that was sent before and send it again, as the newest version.')
    .argument('<version>', 'of `tlspin fleet history`', versionNumber)
    .action((version: number, flags: PushFlags, command: Command) =>
      withFleet(flags, command, (session) => restore(session, version, flags)),
    );
  addExamples(rollback, { command: 'tlspin fleet rollback 7 -c tlspin.json', does: 'what version 7 was, for all' });
}

function withSigning(command: Command): Command {
  return withFleetFlags(command)
    .option('--key <file>', 'the secret key, as tlspin fleet key makes it', 'tlspin-fleet.key')
    .option(
      '--for <duration>',
      'how long it holds, such as 36h; then gateways keep it and say so',
      duration,
      90 * DAY_MS,
    )
    .option('--force', 'have it come into force however much of what passed of late it denies');
}

async function pushFile(session: Session, file: string, flags: PushFlags): Promise<void> {
  const { packageOctets, digestOf } = await import('../../fleet/package.ts');
  const content = readPackage(file);
  const octets = packageOctets(content);
  policyWith(session.file, { ...content, digest: digestOf(octets), isReportOnly: flags.reportOnly === true });
  await send(session, octets, flags, null);
}

async function restore(session: Session, version: number, flags: PushFlags): Promise<void> {
  const document = await versionOf(session, version);
  await send(
    session,
    document.signed.bytes,
    { ...flags, ...(document.terms.isReportOnly ? { reportOnly: true } : {}) },
    version,
  );
}

async function send(session: Session, octets: Uint8Array, flags: PushFlags, restores: number | null): Promise<void> {
  const { push } = await import('../../fleet/publisher.ts');
  const secret = readSecretKey(flags.key);
  const terms = await push(session, octets, secret, {
    expires: Math.floor((Date.now() + flags.for) / 1000) * 1000,
    by: `${userInfo().username}@${hostname()}`.replace(/[^\w.@-]/g, '_').slice(0, 100),
    canary: flags.canary ?? null,
    isReportOnly: flags.reportOnly === true,
    isForced: flags.force === true,
    restores,
  });
  const out = new Output(process.stdout);
  const whose = terms.canary === null ? 'all gateways' : `the gateway ${terms.canary} alone`;
  const again = restores === null ? '' : `, which is version ${restores} again,`;
  out.line(`${session.name}: version ${terms.version}${again} is on its way to ${whose}`);
  const heard = await answers(session, terms);
  showGateways(heard, terms, out);
  if (heard.some((gateway) => hasRefused(gateway, terms))) process.exitCode = 1;
}

/** Of those that it is for and that are there, once each has taken or refused it, or time is up. */
async function answers(session: Session, terms: Terms): Promise<readonly GatewayStatus[]> {
  const { gateways, isPresent } = await import('../../fleet/publisher.ts');
  for (let left = LOOKS; ; left--) {
    const all = await gateways(session);
    const asked = all.filter((each) => terms.canary === null || each.gateway === terms.canary);
    const isDone = asked
      .filter(isPresent)
      .every((each) => each.running?.version === terms.version || hasRefused(each, terms));
    if (isDone || left === 0) return asked;
    await sleep(LOOK_MS);
  }
}

function hasRefused({ refused }: GatewayStatus, { version }: Terms): boolean {
  return refused?.version === version;
}

export async function versionOf(session: Session, version: number): Promise<OpenedDocument> {
  const { history } = await import('../../fleet/publisher.ts');
  const document = (await history(session)).find(({ terms }) => terms.version === version);
  if (document !== undefined) return document;
  throw new Error(`there is no version ${version} any more, or there never was: see tlspin fleet history`);
}

export function versionNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('expected the number of a version.');
  return Number(text);
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('expected a duration such as 36h or 90d.');
  return ms;
}

const DAY_MS = 86_400_000;
/** Some seconds together. */
const LOOKS = 25;
const LOOK_MS = 200;
