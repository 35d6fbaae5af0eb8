/**
 * `tlspin inspect`: captures in, one verdict record a TLS flow out, as NDJSON on standard output. A capture that is cut
 * short or damaged gives what comes before, and exit status 1; the others are read all the same.
 */

import type { Command } from 'commander';

import { jsonText, printable } from '../bytes/invisible.ts';
import { loadPolicy } from '../pins/load.ts';
import { formatMessage } from '../pins/document/message.ts';
import type { Policy } from '../pins/policy.ts';
import { CertificateEntries } from '../report/certificate-entry.ts';
import { eveLine } from '../report/eve-line.ts';
import { unreadRecord, unreadSentence } from '../report/unread.ts';
import { inspectCapture } from '../runtime/offline.ts';
import { readKeyLogs, type Secrets } from '../source/capture/secrets.ts';
import { statOf } from '../source/unreadable.ts';
import { describeCertificate } from '../x509/certificate.ts';
import { presentCertificate } from '../x509/presented.ts';
import { addExamples } from './help.ts';

interface Flags {
  readonly config?: string;
  readonly keylog: readonly string[];
  readonly checksums?: true;
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
    .action(async (captures: string[], flags: Flags, command: Command) => {
      let secrets: Secrets;
      try {
        secrets = readKeyLogs(flags.keylog, (sentence) =>
          process.stderr.write(`tlspin inspect: warning: ${printable(sentence)}\n`),
        );
      } catch (error) {
        return command.error(`error: ${(error as Error).message}`, { exitCode: 1 });
      }
      const policy = policyOf(flags.config);
      if (policy === undefined) {
        command.error(`error: ${flags.config} is no valid configuration: nothing was inspected`, { exitCode: 1 });
      } else {
        process.exitCode = await inspect(captures, policy, { secrets, checksums: flags.checksums === true });
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
}

async function inspect(captures: readonly string[], policy: Policy, reading: Reading): Promise<0 | 1> {
  const readers = { present: presentCertificate, describe: describeCertificate };
  const certificates = new CertificateEntries(readers, policy.log.certificates);
  const output = new LineOutput();
  const progress = new Progress(captures);
  let status: 0 | 1 = 0;
  for (const path of captures) {
    try {
      await inspectCapture({
        path,
        policy,
        ...reading,
        onEvent: (event) => output.write(eveLine(event, { certificates, pcapFilename: path })),
        onUnread: (unread) => {
          const sentence = unreadSentence(unread);
          if (sentence === undefined) return;
          output.write(jsonText(unreadRecord(unread, path)));
          progress.clear();
          output.flush();
          say(`${path}: ${sentence}`);
        },
        onProgress: progress.reporterFor(path),
      });
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

function say(sentence: string): void {
  process.stderr.write(`tlspin inspect: ${printable(sentence)}\n`);
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** Says everything that there is to say about the file; undefined when it is not valid. */
function policyOf(file: string | undefined): Policy | undefined {
  const loaded = file === undefined ? loadPolicy('built in', () => NO_CONFIGURATION) : loadPolicy(file);
  const messages = 'errors' in loaded ? [...loaded.errors, ...loaded.warnings] : loaded.warnings;
  if (file !== undefined) for (const message of messages) process.stderr.write(`${formatMessage(message)}\n`);
  return 'policy' in loaded ? loaded.policy : undefined;
}

/** Standard output in large pieces: a write for each record would be most of the work. */
class LineOutput {
  #lines: string[] = [];
  #length = 0;

  write(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length >= OUTPUT_PIECE) this.flush();
  }

  flush(): void {
    if (this.#lines.length > 0) process.stdout.write(`${this.#lines.join('\n')}\n`);
    this.#lines = [];
    this.#length = 0;
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
const NO_CONFIGURATION = {
  bytes: new TextEncoder().encode('{ "version": 1, "unpinned": { "starttls": "inspect" } }'),
  modifiedMs: 0,
};
const OUTPUT_PIECE = 65_536;
const LARGE_INPUT = 50_000_000;
const PROGRESS_MILLIS = 200;
