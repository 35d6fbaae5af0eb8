/** `tlspin fleet sign`: signs a document of pins, for gateways that fetch it from a web server. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

import type { Command } from 'commander';

import { isDocumentName, parseClaims, signDocument } from '../../fleet/signed-document.ts';
import { parseSecretKey } from '../../minisign/keys.ts';
import { trustedCommentOf } from '../../minisign/signature.ts';
import { parseDuration } from '../../pins/document/dates.ts';
import { ConfigDocument } from '../../pins/document/document.ts';
import { readFromDisk, ReferredFiles } from '../../pins/document/files.ts';
import { formatMessage } from '../../pins/document/message.ts';
import { partOf } from '../../pins/document/parts.ts';
import { unreadable } from '../../source/unreadable.ts';
import { addExamples } from '../help.ts';
import { Output } from '../output.ts';

interface Flags {
  readonly key: string;
  readonly for: string;
  readonly name?: string;
  readonly number?: string;
}

export function addSign(fleet: Command): void {
  const sign = fleet
    .command('sign')
    .summary('sign a document of pins')
    .description(
      'Sign a document of pinsets and lists for gateways that fetch it ("pins" of their configuration): FILE.minisig is ' +
        'written beside it, as minisign would, with its name, its version and its end in the trusted comment.',
    )
    .argument('<file>', 'the document')
    .option('--key <file>', 'the secret key, as tlspin fleet key makes it', 'tlspin-fleet.key')
    .option('--for <duration>', 'how long it holds, such as 36h', '90d')
    .option('--name <name>', "what gateways know it by; otherwise the file's name without .json")
    .option('--number <version>', 'its version; otherwise one more than that of FILE.minisig')
    .action((file: string, flags: Flags) => signFile(file, flags));
  addExamples(sign, {
    command: 'tlspin fleet sign office.json --key office.key',
    does: 'office.json.minisig, to be put beside office.json on the web server',
  });
}

function signFile(file: string, flags: Flags): void {
  const secret = parseSecretKey(read(flags.key).toString());
  if ('error' in secret) throw new Error(`${flags.key}: ${secret.error}`);
  const bytes = read(file);
  refuseNonsense(file, bytes);
  const beside = `${file}.minisig`;
  const name = flags.name ?? basename(file).replace(/\.json$/, '');
  if (!isDocumentName(name))
    throw new Error(`"${name}" is no name: give one of letters, digits, ., _ and - with --name`);
  const lasts = parseDuration(flags.for);
  if (lasts === undefined) throw new Error(`"${flags.for}" is no duration such as 36h or 90d`);
  const version = flags.number === undefined ? versionIn(beside) + 1 : Number(flags.number);
  const expires = Math.floor((Date.now() + lasts) / 1000) * 1000;
  write(beside, signDocument(bytes, secret, { name, version, expires }).signature);
  const until = new Date(expires).toISOString().slice(0, 16);
  const { id } = secret.publicKey;
  new Output(process.stdout).line(`${beside}: ${name}, version ${version}, until ${until}Z, signed with ${id}`);
}

/** What it means together with the rest of a gateway's configuration is for the gateway to see. */
function refuseNonsense(file: string, bytes: Uint8Array): void {
  const document = new ConfigDocument(file, new TextDecoder().decode(bytes));
  partOf(document, new ReferredFiles(file, readFromDisk), true);
  if (document.errorCount === 0) return;
  process.stderr.write(document.messages.map((message) => `${formatMessage(message)}\n`).join(''));
  throw new Error(`${file} is no document of pinsets and lists: not signed`);
}

/** 0 where nothing was signed yet. */
function versionIn(beside: string): number {
  if (!existsSync(beside)) return 0;
  const claims = parseClaims(trustedCommentOf(read(beside).toString()) ?? '');
  if (claims === undefined) throw new Error(`${beside} does not say which version it is of: say with --number`);
  return claims.version;
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Error(`${path} ${unreadable(cause) ?? String(cause)}`, { cause });
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`cannot write ${path} (${code}): sign a copy in a folder that you may write to`, { cause });
  }
}
