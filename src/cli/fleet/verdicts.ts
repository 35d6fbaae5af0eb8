/** `tlspin fleet verdicts` and `fleet why`: what all gateways of a fleet have decided, as far as they share it. */
import type { Command } from 'commander';

import { jsonText } from '../../bytes/invisible.ts';
import type { Position, Stream } from '../../fleet/port.ts';
import type { Batch, VerdictSeal } from '../../fleet/verdict-batch.ts';
import { millisOf } from '../../report/eve.ts';
import { verdictOf } from '../../report/log-reader.ts';
import type { VerdictRecord } from '../../report/schema.ts';
import { isDenied } from '../../runtime/incident/causes.ts';
import type { Query } from '../../runtime/incident/query.ts';
import { since } from '../ctl/since.ts';
import { verdictLines } from '../ctl/text.ts';
import { addExamples } from '../help.ts';
import { Output } from '../output.ts';
import { Incident, queryOf } from '../why/incident.ts';
import { tellIncident } from '../why/telling.ts';
import { type FleetFlags, type Session, withFleet, withFleetFlags } from './session.ts';

interface Flags extends FleetFlags {
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly json?: true;
}

interface VerdictFlags extends Flags {
  readonly follow?: true;
  readonly denied?: true;
}

export function addVerdicts(fleet: Command): void {
  const verdicts = withFleetFlags(fleet.command('verdicts'))
    .summary('what the gateways have decided')
    .description(
      'What the gateways have decided, as far as they share it ("share" of their section "fleet"), as the servers have ' +
        'it. The configuration has to name the key that the gateways have in common.',
    )
    .option('--follow', 'go on with those that come')
    .option('--denied', 'what was not let pass, and in report-only what would not have been')
    .option('--since <time>', SINCE, since)
    .option('--json', 'print a record of JSON a line, with the gateway')
    .action((flags: VerdictFlags, command: Command) =>
      withFleet(flags, command, (session) => showVerdicts(session, flags)),
    );
  addExamples(
    verdicts,
    { command: 'tlspin fleet verdicts -c tlspin.json --since 2h --denied', does: 'what was refused anywhere' },
    { command: 'tlspin fleet verdicts -c tlspin.json --follow', does: 'decisions as they come' },
  );
}

export function addWhy(fleet: Command): void {
  const why = withFleetFlags(fleet.command('why'))
    .summary('say what was decided about a server or a client, and why')
    .description(
      'Say what the gateways have decided about a server or a client, how often, from when to when and where, grouped ' +
        'by cause, as `tlspin why` does for one of them.',
    )
    .argument('<subject>', 'a server name, *.NAME, or an address or network of either end', queryOf)
    .option('--since <time>', SINCE, since)
    .option('--json', 'print it as one JSON document')
    .action((query: Query, flags: Flags, command: Command) =>
      withFleet(flags, command, (session) => showWhy(session, query, flags)),
    );
  addExamples(why, {
    command: 'tlspin fleet why www.bank.example -c tlspin.json --since 2h',
    does: 'who was refused there, on which gateways, and why',
  });
}

async function showVerdicts(session: Session, flags: VerdictFlags): Promise<void> {
  const out = new Output(process.stdout);
  const show = (record: VerdictRecord, gateway: string): void => {
    const { action, would = null } = record.verdict;
    if (flags.denied === true && !isDenied({ action, would })) return;
    if (flags.json === true) out.line(jsonText({ gateway, ...record }));
    else out.write(`${gateway.padEnd(GATEWAY_COLUMNS)}  ${verdictLines([{ ...record }], out)}`);
  };
  await readDecisions(session, flags, show);
}

async function showWhy(session: Session, query: Query, flags: Flags): Promise<void> {
  const incident = new Incident(query);
  await readDecisions(session, flags, (record, gateway) => incident.take(record, gateway));
  tellIncident(incident, { since: flags.since, read: [`the fleet ${session.name}`], isJson: flags.json === true });
}

/** With `follow` it ends with the process. Rejects with a sentence. */
export async function readDecisions(
  session: Session,
  { since: from, follow }: Pick<VerdictFlags, 'since' | 'follow'>,
  onRecord: (record: VerdictRecord, gateway: string) => void,
): Promise<void> {
  const { followVerdicts, readVerdicts, verdictStream } = await import('../../fleet/verdict-stream.ts');
  const stream: Stream = await verdictStream(session.broker, session.name);
  let forged = 0;
  const reading = {
    from: startOf(from, follow === true),
    onBatch: ({ heading, records }: Batch) => {
      for (const value of records) {
        const record = verdictOf(value);
        if (record !== undefined && millisOf(record.timestamp) >= (from ?? 0)) onRecord(record, heading.gateway);
      }
    },
    onForged: () => {
      if (forged++ === 0) process.stderr.write(FORGED);
    },
  };
  const seal = await sealOf(session);
  if (follow !== true) return readVerdicts(stream, seal, reading);
  await followVerdicts(stream, seal, reading);
  await new Promise(() => {});
}

/** A batch is on the servers after what is in it was decided. */
function startOf(from: number | undefined, isFollowing: boolean): Position {
  if (from !== undefined) return { since: new Date(from) };
  return isFollowing ? { start: 'new' } : { after: 0 };
}

/** Throws a sentence where the configuration names no key. */
async function sealOf({ name, policy, file }: Session): Promise<VerdictSeal> {
  const key = policy.fleet?.key ?? null;
  if (key === null) throw new Error(`${file} does not name "key", with which the gateways seal their decisions`);
  const { readFleetKey } = await import('../../runtime/fleet/fleet-key.ts');
  return { fleet: name, key: readFleetKey(key)('verdicts') };
}

const GATEWAY_COLUMNS = 12;
const SINCE = 'from then on: 90s, 30m, 2h, 7d ago, or a time such as 2027-01-31T12:00:00Z';
const FORGED =
  'tlspin fleet: the servers have something among the decisions that no gateway has sealed with this key: it is left out\n';
