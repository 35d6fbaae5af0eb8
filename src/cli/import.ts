/**
 * `tlspin import`: other programs' pins as a configuration on standard output. Reads files and checks what it has made
 * before it prints it; what each kind of file means is for import/.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { type Command, Option } from 'commander';

import { configurationOf, noteText } from '../import/configuration.ts';
import { Findings, type ImportFile } from '../import/found.ts';
import { type Kind, kindOf, KINDS, readKind } from '../import/kind.ts';
import { readFromDisk } from '../pins/document/files.ts';
import { SYSTEM_STORES } from '../pins/document/system-store.ts';
import { unreadable } from '../source/unreadable.ts';
import { readCertificates } from '../x509/pem.ts';
import { loadPolicy } from '../pins/load.ts';
import { formatMessage } from '../pins/document/message.ts';
import { addExamples } from './help.ts';

interface Flags {
  readonly from?: Kind;
  readonly host: readonly string[];
  readonly lists?: string;
}

export function registerImport(program: Command): void {
  const command = program
    .command('import')
    .summary('make a configuration of other programs’ pins')
    .description(
      'Make a configuration of the pins of other programs: rules and lists of xt_sslpin, Public-Key-Pins headers, Android ' +
        'network security configurations, Chromium static pins (both files together), OkHttp and curl, TLSA records, and the ' +
        'SSL blacklist of abuse.ch. What cannot be taken over is a comment in it. - is standard input.',
    )
    .argument('<file...>', 'what to import; of a folder, such as a copy of /sys/kernel/xt_sslpin, all files in it')
    .addOption(new Option('--from <kind>', 'what the files are, where that does not show').choices(KINDS))
    .option('--host <name>', 'the host of pins that name none; can be given again', collect, [])
    .option('--lists <folder>', 'write lists into files there, which are then changed for good at run time')
    .action((names: string[], flags: Flags, self: Command) => {
      try {
        process.exitCode = importAll(names, flags);
      } catch (error) {
        self.error(`error: ${error instanceof Error ? error.message : String(error)}`, { exitCode: 1 });
      }
    });
  addExamples(
    command,
    { command: 'iptables-save | tlspin import - > tlspin.json', does: 'the rules of xt_sslpin' },
    { command: 'tlspin import res/xml/network_security_config.xml', does: 'what an Android application pins' },
    { command: 'dig +noall +answer _443._tcp.www.bank.example TLSA | tlspin import -', does: 'what DANE says' },
  );
}

function importAll(names: readonly string[], flags: Flags): 0 | 1 {
  const files = names.flatMap(filesOf).map(readFile);
  const found = new Findings();
  for (const [kind, ofKind] of byKind(files, flags.from)) found.add(readKind(kind, ofKind));
  const made = configurationOf(found, {
    hosts: flags.host,
    sources: names,
    nowMs: Date.now(),
    listFolder: flags.lists,
    roots: systemRoots(),
  });
  if (made.pinsets + made.lists + made.rules === 0) {
    throw new Error(['there is nothing to import', ...made.notes.map(noteText)].join('\n  '));
  }
  // What is there may be somebody's, and newer.
  for (const { path, text } of made.files) writeFileSync(path, text, { flag: 'wx' });
  const own = { bytes: Buffer.from(made.text), modifiedMs: Date.now() };
  const loaded = loadPolicy(OUTPUT, (path) => (path === OUTPUT ? own : readFromDisk(path)));
  const errors = 'errors' in loaded ? loaded.errors : [];
  process.stdout.write(made.text);
  const counts = [count(made.pinsets, 'pinset'), count(made.lists, 'list'), count(made.rules, 'rule')];
  const left =
    made.notes.length === 0 ? '' : `; ${count(made.notes.length, 'thing')} not taken over as it was: see the comments`;
  process.stderr.write(`tlspin import: ${counts.join(', ')}${left}\n`);
  for (const error of errors) process.stderr.write(`${formatMessage(error)}\n`);
  return errors.length === 0 ? 0 : 1;
}

function byKind(files: readonly ImportFile[], from: Kind | undefined): Map<Kind, ImportFile[]> {
  const kinds = new Map<Kind, ImportFile[]>();
  for (const file of files) {
    const kind = from ?? kindOf(file) ?? (isEmptyList(file) ? 'xt-sslpin' : undefined);
    if (kind === undefined) throw new Error(`${file.name}: what this is does not show: say --from ${KINDS.join('|')}`);
    kinds.set(kind, [...(kinds.get(kind) ?? []), file]);
  }
  return kinds;
}

/** None where the system has no bundle. */
function systemRoots(): readonly Uint8Array[] {
  const store = SYSTEM_STORES.find((path) => existsSync(path));
  return store === undefined ? [] : readCertificates(readFileSync(store));
}

/** A list that nothing is on: its name is a number. */
function isEmptyList({ name, text }: ImportFile): boolean {
  return text.trim() === '' && /^\d+$/.test(basename(name));
}

/** Those that only take commands hold nothing. */
function filesOf(name: string): string[] {
  if (name === '-' || statSync(name, { throwIfNoEntry: false })?.isDirectory() !== true) return [name];
  const within = readdirSync(name)
    .filter((file) => !/^\.|_(add|rm)$/.test(file))
    .sort();
  return within.map((file) => join(name, file)).filter((path) => statSync(path).isFile());
}

function readFile(name: string): ImportFile {
  try {
    return { name, text: readFileSync(name === '-' ? 0 : name, 'utf8').replace(/^\uFEFF/, '') };
  } catch (error) {
    throw new Error(`${name}: ${unreadable(error) ?? (error as Error).message}`, { cause: error });
  }
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** What messages about the configuration itself call it. */
const OUTPUT = 'standard output';
