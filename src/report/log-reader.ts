/**
 * Records read back from log files, those that were rotated away included: FILE.1, FILE-20261129, either in gzip. What is
 * no record of ours is left alone. Knows files and lines; what is looked for is the caller's.
 */
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { basename, dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

import type { AnswerRecord, VerdictRecord } from './schema.ts';

export interface LogReading {
  /** `-` is standard input. */
  readonly files: readonly string[];
  /** Milliseconds since the epoch: what is older is not wanted. */
  readonly since: number;
  /** A file that could not be read, or not to its end, and why: one sentence; `unread`: the one of which nothing was. */
  readonly onTrouble: (sentence: string, unread?: string) => void;
  /** What was answered to changed certificates, as it is come across. */
  readonly onAnswer?: ((record: AnswerRecord) => void) | undefined;
}

/** Decisions in the order of each file, file by file, the oldest file first. */
export async function* readVerdicts({ files, since, onTrouble, onAnswer }: LogReading): AsyncGenerator<VerdictRecord> {
  const sinceText = since === -Infinity ? '' : new Date(since).toISOString().slice(0, 23);
  for (const file of files) {
    try {
      if (isOlder(file, since)) continue;
      for await (const line of linesOf(file)) {
        const record = recordIn(line);
        if (record !== undefined && isAnswer(record)) onAnswer?.(record);
        // Timestamps are UTC and as long as each other: their texts are in their order.
        else if (record !== undefined && isOurs(record) && record.timestamp >= sinceText) yield record;
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const trouble = TROUBLES[code ?? ''];
      if (trouble === undefined) onTrouble(`log ${file}: cannot be read to its end: ${message}`);
      else onTrouble(`log ${file}: ${trouble}`, file);
    }
  }
}

/** The file and what it was before it was rotated, the oldest first. Throws a sentence where there is none of them. */
export function withRotated(file: string): string[] {
  if (file === '-') return [file];
  const [folder, name] = [dirname(file), basename(file)];
  const stem = basename(name, extname(name));
  const names = entriesOf(folder, file).filter((each) => each === name || isRotated(each, name, stem));
  if (names.length === 0) throw new Error(`log ${file}: there is no such file`);
  const modified = (path: string): number => modifiedAt(path) ?? 0;
  return names.map((each) => join(folder, each)).sort((a, b) => modified(a) - modified(b));
}

function isRotated(each: string, name: string, stem: string): boolean {
  if (each.startsWith(name)) return SUFFIX.test(each.slice(name.length));
  // logrotate's `extension`: the date ahead of it.
  const extension = name.slice(stem.length);
  const plain = each.replace(/\.gz$/, '');
  return extension !== '' && plain.startsWith(stem) && plain.endsWith(extension)
    ? SUFFIX.test(plain.slice(stem.length, -extension.length))
    : false;
}

function entriesOf(folder: string, file: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES')
      throw new Error(`log ${file}: ${TROUBLES['EACCES']}`, { cause: error });
    return [];
  }
}

function isOlder(file: string, since: number): boolean {
  const modified = file === '-' ? undefined : modifiedAt(file);
  return modified !== undefined && modified < since;
}

/** Undefined where that cannot be seen: opening it tells why. */
function modifiedAt(file: string): number | undefined {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return undefined;
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const raw: Readable = file === '-' ? process.stdin : createReadStream(file);
  const input = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  // What fails ahead of a pipe does not go through it.
  raw.on('error', (error) => input.destroy(error));
  yield* createInterface({ input, crlfDelay: Infinity });
}

/** Undefined for every other line. */
function recordIn(line: string): VerdictRecord | AnswerRecord | undefined {
  if (!line.includes(VERDICT) && !line.includes(ANSWER)) return undefined;
  try {
    return JSON.parse(line) as VerdictRecord | AnswerRecord;
  } catch {
    return undefined; // half written, or somebody else's
  }
}

function isAnswer(record: VerdictRecord | AnswerRecord): record is AnswerRecord {
  if (record.event_type !== 'answer') return false;
  const { timestamp, answer } = record;
  return typeof timestamp === 'string' && typeof answer === 'object' && typeof answer.entry === 'string';
}

/** A record that came another way than by a file; undefined for everything else. */
export function verdictOf(value: unknown): VerdictRecord | undefined {
  const record = value as VerdictRecord | null;
  return typeof record === 'object' && record !== null && isOurs(record) ? record : undefined;
}

/** As much as everybody relies on: versions may differ in the rest. */
function isOurs(record: VerdictRecord | AnswerRecord): record is VerdictRecord {
  if (record.event_type !== 'verdict') return false;
  const { timestamp, src_ip: client, dest_ip: server, verdict, tls } = record;
  const isVerdict = typeof verdict === 'object' && typeof verdict.reason === 'string';
  const hasChain = tls === undefined || Array.isArray(tls.certificates);
  return isVerdict && hasChain && typeof timestamp === 'string' && isIP(client) !== 0 && isIP(server) !== 0;
}

const VERDICT = '"verdict"';
const ANSWER = '"event_type":"answer"';
const SUFFIX = /^([.-]\d{1,3}|-\d{8}(-\d{1,10})?|\.\d{4}-?\d\d-?\d\d)(\.gz)?$/;
const TROUBLES: Readonly<Record<string, string>> = {
  EACCES: 'its permissions forbid reading it (use sudo)',
  EISDIR: 'this is a folder: name the file in it',
  ENOENT: 'it is gone: it was rotated away meanwhile, or removed',
  Z_BUF_ERROR: 'its end is missing; what comes before it was read',
};
