/** `tlspin fleet status`: which gateway runs which version, since when, and who refused what. */
import type { Command } from 'commander';

import type { Terms } from '../../fleet/documents.ts';
import type { GatewayStatus } from '../../fleet/publisher.ts';
import { printableLines as printableLine } from '../../bytes/invisible.ts';
import { duration } from '../ctl/text.ts';
import { addExamples } from '../help.ts';
import { Output } from '../output.ts';
import { type FleetFlags, type Session, withFleet, withFleetFlags } from './session.ts';

export function addStatus(fleet: Command): void {
  const status = withFleetFlags(fleet.command('status'))
    .summary('which gateway runs which version')
    .description(
      'Which gateway runs which version, since when, which refused one and why. Exit status 1: not all run the latest.',
    )
    .option('--json', 'print it as one JSON document')
    .action((flags: FleetFlags & { json?: true }, command: Command) =>
      withFleet(flags, command, (session) => showStatus(session, flags.json === true)),
    );
  addExamples(status, { command: 'tlspin fleet status -c tlspin.json', does: 'how all gateways stand' });
}

async function showStatus(session: Session, isJson: boolean): Promise<void> {
  const { gateways, history } = await import('../../fleet/publisher.ts');
  const [all, documents] = [await gateways(session), await history(session)];
  const latest = documents.findLast(({ terms }) => terms.canary === null)?.terms;
  const out = new Output(process.stdout);
  if (isJson) out.json({ fleet: session.name, latest: latest ?? null, gateways: all });
  else showGateways(all, latest, out);
  const isAll = all.every(({ running }) => (running?.version ?? 0) >= (latest?.version ?? 0));
  if (!isAll) process.exitCode = 1;
}

/** A table, and below it what was refused, line by line. */
export function showGateways(all: readonly GatewayStatus[], latest: Terms | undefined, out: Output): void {
  if (all.length === 0) return out.line('no gateway has been heard of yet');
  const rows = all.map(({ gateway, running, refused, heard, software }) => {
    const state = running === null ? 'none' : `${running.version}${running.isReportOnly ? ' (report-only)' : ''}`;
    const since = running === null ? '' : new Date(running.since).toISOString().slice(0, 19) + 'Z';
    const ahead = latest === undefined ? 0 : (running?.version ?? 0) - latest.version;
    const stands = ahead === 0 ? 'up to date' : ahead > 0 ? 'canary' : 'not the latest';
    const what = refused === null ? stands : `refused ${refused.version ?? 'a document'}`;
    const ago = Math.max(0, Math.round((Date.now() - heard.getTime()) / 1000));
    return [gateway, state, since, what, `${duration(ago)} ago`, software];
  });
  out.table(['GATEWAY', 'VERSION', 'SINCE', 'STATE', 'HEARD', 'TLSPIN'], rows);
  for (const { gateway, refused } of all) {
    if (refused === null) continue;
    out.line(printableLine(`${gateway}: refused ${refused.version ?? 'a document'}: ${refused.reason}`));
    for (const message of refused.messages) out.line(printableLine(`  ${message}`));
  }
}
