/** Tells of an incident, to people or to programs. */
import { meaningOf } from '../../report/reasons.ts';
import { type Cause, isDenied } from '../../runtime/incident/causes.ts';
import { remedyFor } from '../../runtime/incident/remedy.ts';
import { Output } from '../output.ts';
import type { Incident } from './incident.ts';
import { showIncident } from './text.ts';

export interface Telling {
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly read: readonly string[];
  readonly isJson: boolean;
}

/** Exit status 1 where nothing was decided. */
export function tellIncident(incident: Incident, { since, read, isJson }: Telling): void {
  const out = new Output(process.stdout);
  if (isJson) out.json(jsonOf(incident, since, read));
  else showIncident(incident, since, read, out);
  if (incident.causes.length === 0) process.exitCode = 1;
}

function jsonOf({ subject, causes, others }: Incident, from: number | undefined, read: readonly string[]): object {
  return {
    subject,
    since: from === undefined ? null : new Date(from).toISOString(),
    read,
    decisions: sum(causes),
    denied: sum(causes.filter(isDenied)),
    causes: causes.map((cause) => ({ ...cause, meaning: meaningOf(cause.reason), ...remedyFor(cause) })),
    ...(causes.length > 0 ? {} : { others }),
  };
}

function sum(causes: readonly Cause[]): number {
  return causes.reduce((total, { count }) => total + count, 0);
}
