/**
 * Where decisions are read back from: the log files that were named, or the one that a running tlspin writes to, and
 * what that remembers. Whichever of them is not there is said, and the others do.
 */
import { ControlClient } from '../../runtime/control/client.ts';
import { readVerdicts, withRotated } from '../../report/log-reader.ts';
import type { AnswerRecord, VerdictRecord } from '../../report/schema.ts';
import { identityOf } from '../../runtime/incident/causes.ts';
import { type ControlFlags, socketOf } from '../control.ts';

export interface Sources {
  /** Log files, rotated ones included. */
  readonly files: readonly string[];
  /** What a running tlspin remembers; undefined: none runs. */
  readonly remembered: readonly VerdictRecord[] | undefined;
  /** The configuration of the running tlspin. */
  readonly configuration: string | undefined;
}

export interface SourceFlags extends ControlFlags {
  readonly log?: readonly string[];
}

/** Throws a sentence where there is neither a file nor a tlspin. */
export async function sourcesOf(flags: SourceFlags, since: number, say: (line: string) => void): Promise<Sources> {
  const engine = await askEngine(flags, since).catch((error: unknown) => {
    if (flags.log === undefined) throw error;
    if (flags.control !== undefined) say((error as Error).message);
    return undefined;
  });
  const written = engine?.file === undefined || engine.file === null ? [] : [engine.file];
  const files = new Set((flags.log ?? []).flatMap(withRotated));
  // Nobody has named it: where it cannot be found, what is remembered does.
  if (flags.log === undefined) for (const file of written) for (const each of existing(file)) files.add(each);
  return { files: [...files], remembered: engine?.verdicts, configuration: engine?.configuration };
}

/** Each decision once, whatever the order of the sources. */
export async function* decisions(
  { files, remembered = [] }: Sources,
  since: number,
  say: (line: string, unread?: string) => void,
  onAnswer?: (record: AnswerRecord) => void,
): AsyncGenerator<VerdictRecord> {
  const known = new Set(remembered.map(identityOf));
  yield* remembered;
  for await (const record of readVerdicts({ files, since, onTrouble: say, onAnswer })) {
    if (!known.has(identityOf(record))) yield record;
  }
}

function existing(file: string): string[] {
  try {
    return withRotated(file);
  } catch {
    return [];
  }
}

async function askEngine(flags: ControlFlags, since: number) {
  const client = await ControlClient.connect(socketOf(flags));
  try {
    const { status } = await client.ask({ command: 'status', brief: true });
    const { log, configuration } = status as { log: { file: string | null }; configuration: { file: string } };
    const ago = since === -Infinity ? {} : { since: new Date(since).toISOString() };
    const { verdicts } = await client.ask({ command: 'verdicts', limit: MOST, ...ago });
    return { file: log.file, configuration: configuration.file, verdicts: verdicts as VerdictRecord[] };
  } finally {
    client.close();
  }
}

/** As many as are remembered. */
const MOST = 2_000;
