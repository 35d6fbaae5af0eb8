/**
 * `tlspin inspect`: captures in, one verdict record a TLS flow out, as NDJSON on standard output. A capture that is cut
 * short or damaged gives what comes before, and exit status 1; the others are read all the same.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { type Command, InvalidArgumentError } from 'commander';

import { jsonText, printable } from '../bytes/invisible.ts';
import { builtInPolicy } from '../pins/built-in.ts';
import { formatMessage } from '../pins/document/message.ts';
import type { Policy } from '../pins/policy.ts';
import { type Unread, unreadRecord, unreadSentence } from '../report/unread.ts';
import { inspectApart } from '../runtime/captures/apart.ts';
import { lineMaker } from '../runtime/captures/lines.ts';
import { inspectCapture } from '../runtime/offline.ts';
import { Gunzip } from '../source/capture/gunzip.ts';
import { readKeyLogs, type Secrets } from '../source/capture/secrets.ts';
import { isFile } from '../source/capture/stream.ts';
import { statOf } from '../source/unreadable.ts';
import { addExamples } from './help.ts';

interface Flags {
  readonly config?: string;
  readonly keylog: readonly string[];
  readonly checksums?: true;
  readonly threads?: number;
}

export function registerInspect(program: Command): void {
  const command = program
    .command('inspect')
    .summary('inspect captures with the engine that packets go through')
    .description(
      'Inspect captures (pcap or pcapng, also gzip; - is standard input) with the same engine that packets go through: ' +
        'one verdict record a TLS flow, as NDJSON on standard output.',
    )
    .argument('<capture...>', 'captures')
    .option(
      '-c, --config <file>',
      'the configuration by which to decide; without one every flow is reported as unpinned',
    )
    .option('--keylog <file>', 'secrets with which to decrypt TLS 1.3 handshakes; can be given again', collect, [])
    .option('--checksums', 'verify TCP checksums, which captures of sending hosts often have unfinished')
    .option(
      '--threads <number>',
      'threads that look into a file together, by its addresses (default: of large files as many as there are CPUs)',
      threadsOf,
    )
    .action(async (captures: string[], flags: Flags, command: Command) => {
      let secrets: Secrets;
      try {
        secrets = readKeyLogs(flags.keylog, (sentence) =>
          process.stderr.write(`tlspin inspect: warning: ${printable(sentence)}\n`),
        );
      } catch (error) {
        return command.error(`error: ${(error as Error).message}`, { exitCode: 1 });
      }
      const policy = flags.config === undefined ? builtInPolicy(NO_CONFIGURATION) : await policyOf(flags.config);
      if (policy === undefined) {
        command.error(`error: ${flags.config} is no valid configuration: nothing was inspected`, { exitCode: 1 });
      } else {
        const { checksums = false, threads } = flags;
        process.exitCode = await inspect(captures, policy, { secrets, checksums, threads });
      }
    });
  addExamples(
    command,
    { command: 'tlspin inspect monday.pcapng.gz -c /etc/tlspin.json', does: 'what the configuration had decided' },
    { command: 'tcpdump -w - port 443 | tlspin inspect - | jq .tls', does: 'what goes by' },
  );
}

interface Reading {
  readonly secrets: Secrets;
  readonly checksums: boolean;
  /** Undefined: as many as make sense. */
  readonly threads: number | undefined;
}

async function inspect(captures: readonly string[], policy: Policy, reading: Reading): Promise<0 | 1> {
  const { secrets, checksums } = reading;
  const toLine = lineMaker(policy);
  const output = new LineOutput();
  const progress = new Progress(captures);
  let status: 0 | 1 = 0;
  for (const path of captures) {
    const onUnread = (unread: Unread): void => {
      const sentence = unreadSentence(unread);
      if (sentence === undefined) return;
      output.write(jsonText(unreadRecord(unread, path)));
      progress.clear();
      output.flush();
      say(`${path}: ${sentence}`);
    };
    const common = { path, policy, secrets, checksums, onUnread, onProgress: progress.reporterFor(path) };
    try {
      const threads = reading.threads ?? threadsFor(path);
      if (threads > 1 && isFile(path)) {
        const onLines = (text: Uint8Array, start: number, end: number) => output.writeLines(text, start, end);
        await inspectApart({ ...common, threads, onLines });
      } else {
        await inspectCapture({ ...common, onEvent: (event) => output.write(toLine(event, path)) });
      }
    } catch (error) {
      status = 1;
      progress.clear();
      output.flush();
      say(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  progress.clear();
  output.flush();
  return status;
}

/** Threads take a while to start, and of what is compressed each would have to inflate all. */
function threadsFor(path: string): number {
  if (!isFile(path) || sizeOf(path) < LARGE_INPUT || isCompressed(path)) return 1;
  return Math.min(availableParallelism(), MOST_THREADS);
}

/** False where it cannot be read, too: reading it will say why. */
function isCompressed(path: string): boolean {
  const head = Buffer.alloc(2);
  try {
    const file = openSync(path, 'r');
    readSync(file, head);
    closeSync(file);
  } catch {
    return false;
  }
  return Gunzip.recognises(head);
}

function threadsOf(text: string): number {
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return threads;
  throw new InvalidArgumentError(`It is to be a whole number from 1 to ${MOST_THREADS}.`);
}

function say(sentence: string): void {
  process.stderr.write(`tlspin inspect: ${printable(sentence)}\n`);
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** Says everything that there is to say about the file; undefined when it is not valid. */
async function policyOf(file: string): Promise<Policy | undefined> {
  const { loadPolicy } = await import('../pins/load.ts');
  const loaded = loadPolicy(file);
  const messages = 'errors' in loaded ? [...loaded.errors, ...loaded.warnings] : loaded.warnings;
  for (const message of messages) process.stderr.write(`${formatMessage(message)}\n`);
  return 'policy' in loaded ? loaded.policy : undefined;
}

/** Standard output in large pieces: a write for each record would be most of the work. */
class LineOutput {
  #lines: string[] = [];
  #length = 0;
  #octets = Buffer.alloc(OUTPUT_PIECE);
  #filled = 0;

  write(line: string): void {
    if (this.#filled > 0) this.flush();
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length >= OUTPUT_PIECE) this.flush();
  }

  /** Octets `start` to `end` of `text`: whole lines. */
  writeLines(text: Uint8Array, start: number, end: number): void {
    if (this.#lines.length > 0 || this.#filled + end - start > this.#octets.length) this.flush();
    const lines = text.subarray(start, end);
    if (lines.length > this.#octets.length) return void process.stdout.write(lines);
    this.#octets.set(lines, this.#filled);
    this.#filled += lines.length;
  }

  flush(): void {
    if (this.#lines.length > 0) process.stdout.write(`${this.#lines.join('\n')}\n`);
    if (this.#filled > 0) {
      process.stdout.write(this.#octets.subarray(0, this.#filled));
      // Whoever writes it may not be done with it.
      this.#octets = Buffer.allocUnsafeSlow(OUTPUT_PIECE);
    }
    this.#lines = [];
    this.#length = 0;
    this.#filled = 0;
  }
}

/** A line on a terminal, for captures that take a while. */
class Progress {
  readonly #total: number;
  readonly #wanted: boolean;
  #before = 0;
  #shown = -Infinity;

  constructor(captures: readonly string[]) {
    this.#total = captures.reduce((sum, path) => sum + sizeOf(path), 0);
    this.#wanted = process.stderr.isTTY && this.#total >= LARGE_INPUT;
  }

  reporterFor(path: string): ((octets: number) => void) | undefined {
    if (!this.#wanted) return undefined;
    const before = this.#before;
    this.#before += sizeOf(path);
    return (octets) => {
      const now = performance.now();
      if (now - this.#shown < PROGRESS_MILLIS) return;
      this.#shown = now;
      const percent = Math.floor(((before + octets) / this.#total) * 100);
      process.stderr.write(`\r\x1b[K${percent} % of ${Math.round(this.#total / 1e6)} MB, ${path}`);
    };
  }

  clear(): void {
    if (this.#shown > -Infinity) process.stderr.write('\r\x1b[K');
    this.#shown = -Infinity;
  }
}

/** 0 where it cannot be told, as for standard input; reading it will say why. */
function sizeOf(path: string): number {
  return path === '-' ? 0 : (statOf(path)?.size ?? 0);
}

/** Nothing is pinned, and everything is looked at. */
const NO_CONFIGURATION = '{ "version": 1, "unpinned": { "starttls": "inspect" } }';
const OUTPUT_PIECE = 65_536;
const LARGE_INPUT = 50_000_000;
const MOST_THREADS = 64;
const PROGRESS_MILLIS = 200;
