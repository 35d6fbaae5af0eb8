/**
 * `tlspin pin`: the pins of a chain, live or out of files, in every spelling, or as pinsets that are ready to be used.
 * What it shows of a live server is what that server says now: compare it with what is known from elsewhere.
 */
import { existsSync, readFileSync } from 'node:fs';

import { type Command, Option } from 'commander';

import { commentedJson } from '../import/commented-json.ts';
import { readKeyFile } from '../x509/key-files.ts';
import { presentCertificate, presentRawPublicKey } from '../x509/presented.ts';
import { unreadable } from '../source/unreadable.ts';
import { addExamples } from './help.ts';
import { Output } from './output.ts';
import type { VersionWish } from './pin/hello.ts';
import { liveChain } from './pin/live.ts';
import { parseTarget, schemeNames } from './pin/target.ts';
import type { Finding } from './pin/finding.ts';
import { pinsetsOf, withComments, withoutComments } from './pin/pinset.ts';
import { showFinding } from './pin/view.ts';

interface Flags {
  readonly json?: true;
  readonly config?: true;
  /** A name, or false: none. */
  readonly sni?: string | false;
  readonly tls?: VersionWish;
  readonly ipv4?: true;
  readonly ipv6?: true;
}

export function registerPin(program: Command): void {
  const pin = program
    .command('pin')
    .summary('show the pins of a chain')
    .description(
      'Show the pins of a certificate chain in every spelling. A chain is that of a live server (HOST, HOST:PORT, or a URL ' +
        `whose scheme says how TLS begins: ${schemeNames().join(', ')}), or what is in a file: ` +
        'certificates, also in PKCS#7, certificate requests and public keys, in PEM or DER; - is standard input.',
    )
    .argument('<source...>', 'hosts, URLs and files')
    .option('--json', 'print a ready pinset (a list of them for several sources)')
    .option('--config', 'print a whole configuration of such pinsets, as JSON with comments')
    .option('--sni <name>', 'the server name to ask for, instead of the host')
    .option('--no-sni', 'ask for no server name')
    .addOption(
      new Option('--tls <version>', 'ask for this version alone, or for 1.2 and older').choices(['1.2', '1.3']),
    )
    .addOption(new Option('-4, --ipv4', 'use IPv4 alone').conflicts('ipv6'))
    .option('-6, --ipv6', 'use IPv6 alone')
    .action(async (sources: string[], flags: Flags) => {
      process.exitCode = await pinAll(sources, flags);
    });
  addExamples(
    pin,
    { command: 'tlspin pin www.bank.example', does: 'what the server presents now' },
    { command: 'tlspin pin smtp://mail.bank.example', does: 'the same behind STARTTLS' },
    { command: 'tlspin pin www.bank.example backup.csr --config > tlspin.json', does: 'a configuration to begin with' },
  );
}

async function pinAll(sources: readonly string[], flags: Flags): Promise<0 | 1> {
  const out = new Output(process.stdout);
  const findings: Finding[] = [];
  for (const source of sources) {
    try {
      const finding = await findingOf(source, flags);
      findings.push(finding);
      if (flags.json !== true && flags.config !== true) showFinding(finding, out);
    } catch (error) {
      process.stderr.write(`tlspin pin: ${source}: ${sentenceOf(error)}\n`);
    }
  }
  if (findings.length > 0) {
    const pinsets = pinsetsOf(findings);
    const isOne = sources.length === 1;
    if (flags.config === true) out.line(commentedJson({ version: 1, pinsets: pinsets.map(withComments) }));
    else if (flags.json === true) out.json(isOne ? withoutComments(pinsets[0]!) : pinsets.map(withoutComments));
  }
  return findings.length === sources.length ? 0 : 1;
}

async function findingOf(source: string, flags: Flags): Promise<Finding> {
  const target = source === '-' || existsSync(source) ? undefined : parseTarget(source);
  if (target === undefined) return { source, target, live: undefined, ...materialOf(source) };
  const live = await liveChain(target, {
    ...(flags.sni === undefined ? {} : { serverName: flags.sni === false ? null : flags.sni }),
    version: flags.tls,
    family: flags.ipv4 === true ? 4 : flags.ipv6 === true ? 6 : undefined,
  });
  const present = live.isRawPublicKey ? presentRawPublicKey : presentCertificate;
  return { source, target, live, chain: live.chain.map(present), keys: [] };
}

function materialOf(file: string): Pick<Finding, 'chain' | 'keys'> {
  const material = readKeyFile(readFileSync(file === '-' ? 0 : file));
  return {
    chain: material.flatMap((one) => (one.kind === 'certificate' ? [presentCertificate(one.der)] : [])),
    keys: material.flatMap((one) => (one.kind === 'certificate' ? [] : [{ subject: null, names: [], ...one }])),
  };
}

function sentenceOf(cause: unknown): string {
  const error = cause as NodeJS.ErrnoException;
  switch (error.code) {
    case 'ENOENT':
      return 'there is no such file, and it is not a host or host:port either';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'there is no such host or file';
    case 'EISDIR':
    case 'EACCES':
      return unreadable(error) ?? error.message;
    default:
      return error.message;
  }
}
