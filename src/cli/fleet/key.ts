/** `tlspin fleet key`: the pair of keys that gateways trust, in two files of minisign's format. */
import { existsSync, rmSync } from 'node:fs';

import type { Command } from 'commander';

import { createKeyFiles } from '../../minisign/keys.ts';
import { addExamples } from '../help.ts';
import { Output } from '../output.ts';
import { thereAlready, writeNew } from './new-file.ts';

export function addKey(fleet: Command): void {
  const key = fleet
    .command('key')
    .summary('make the key that signs what gateways share')
    .description(
      "Make a pair of keys (Ed25519, in minisign's format): FILE, which signs and is to be kept where only you are, and " +
        'FILE.pub, whose second line gateways have in "trustedKeys". Neither is ever overwritten.',
    )
    .argument('[file]', 'of the secret key', 'tlspin-fleet.key')
    .action((file: string) => makeKey(file));
  addExamples(key, { command: 'tlspin fleet key office.key', does: 'office.key, to sign with, and office.key.pub' });
}

function makeKey(file: string): void {
  const { secret, public: text, publicKey } = createKeyFiles();
  const beside = `${file}.pub`;
  if (existsSync(beside)) throw new Error(thereAlready(beside));
  writeNew(file, secret, 0o600);
  try {
    writeNew(beside, text, 0o644);
  } catch (error) {
    rmSync(file);
    throw error;
  }
  new Output(process.stdout).write(
    `${file}: the secret key ${publicKey.id}, without a password: keep it off the gateways\n` +
      `${beside}: its public half; gateways trust it by\n  "trustedKeys": ["${publicKey.line}"]\n`,
  );
}
