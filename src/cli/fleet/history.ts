/** `tlspin fleet history` and `diff`: what was pushed, by whom, and what one version changes of another. */
import type { Command } from 'commander';

import type { OpenedDocument } from '../../fleet/documents.ts';
import { sharedOf } from '../../fleet/member.ts';
import { digestOf, packageOctets } from '../../fleet/package.ts';
import type { SharedDocument } from '../../pins/document/shared.ts';
import { differenceOf } from '../../runtime/control/difference.ts';
import { changesLines } from '../ctl/text.ts';
import { addExamples } from '../help.ts';
import { Output } from '../output.ts';
import { policyWith, readPackage } from './document.ts';
import { versionOf } from './push.ts';
import { type FleetFlags, type Session, withFleet, withFleetFlags } from './session.ts';

export function addHistory(fleet: Command): void {
  const history = withFleetFlags(fleet.command('history'))
    .summary('what was pushed, when and by whom')
    .description('What was pushed, when and by whom, as far as the servers keep it.')
    .option('--json', 'print it as one JSON document')
    .action((flags: FleetFlags & { json?: true }, command: Command) =>
      withFleet(flags, command, (session) => showHistory(session, flags.json === true)),
    );
  addExamples(history, { command: 'tlspin fleet history -c tlspin.json', does: 'all versions, the oldest first' });
}

export function addDiff(fleet: Command): void {
  const diff = withFleetFlags(fleet.command('diff'))
    .summary('what a document or a version would change')
    .description(
      'What would change in pinsets and lists: against the latest that is for all, or from one to the other.',
    )
    .argument('<what>', 'a version, or the file of a document')
    .argument('[other]', 'what it is to be then')
    .action((what: string, other: string | undefined, flags: FleetFlags, command: Command) =>
      withFleet(flags, command, (session) => showDifference(session, what, other)),
    );
  addExamples(
    diff,
    { command: 'tlspin fleet diff office.json -c tlspin.json', does: 'what pushing it would change' },
    { command: 'tlspin fleet diff 6 7 -c tlspin.json', does: 'what version 7 changed' },
  );
}

async function showHistory(session: Session, isJson: boolean): Promise<void> {
  const documents = await allOf(session);
  const out = new Output(process.stdout);
  if (isJson) {
    return out.json(documents.map(({ terms, digest, content }) => ({ ...terms, file: content.file, digest })));
  }
  const rows = documents.map(({ terms, content }) => {
    const { version, pushed, by, canary, isReportOnly, isForced, restores, expires } = terms;
    const how = [
      ...(canary === null ? [] : [`canary ${canary}`]),
      ...(isReportOnly ? ['report-only'] : []),
      ...(isForced ? ['forced'] : []),
      ...(restores === null ? [] : [`version ${restores} again`]),
    ];
    const time = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
    return [`${version}`, time(pushed), by, content.file, time(expires), how.join(', ')];
  });
  out.table(['VERSION', 'PUSHED', 'BY', 'FILE', 'HOLDS UNTIL', ''], rows);
}

async function showDifference(session: Session, what: string, other: string | undefined): Promise<void> {
  const from = other === undefined ? await latestOf(session) : await documentOf(session, what);
  const to = await documentOf(session, other ?? what);
  const before = from === undefined ? session.policy : policyWith(session.file, from);
  const difference = differenceOf(before, policyWith(session.file, to));
  new Output(process.stdout).write(
    changesLines({ ...difference })
      .map((line) => `${line}\n`)
      .join(''),
  );
}

async function documentOf(session: Session, what: string): Promise<SharedDocument> {
  if (/^[1-9]\d{0,14}$/.test(what)) return sharedOf(await versionOf(session, Number(what)));
  const content = readPackage(what);
  return { ...content, digest: digestOf(packageOctets(content)), isReportOnly: false };
}

async function latestOf(session: Session): Promise<SharedDocument | undefined> {
  const latest = (await allOf(session)).findLast(({ terms }) => terms.canary === null);
  return latest === undefined ? undefined : sharedOf(latest);
}

async function allOf(session: Session): Promise<OpenedDocument[]> {
  const { history } = await import('../../fleet/publisher.ts');
  return history(session);
}
