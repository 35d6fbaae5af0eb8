/**
 * `tlspin pin`: the pins of a chain, live or out of files, in every spelling, or as a pinset that is ready to be used.
 * What it shows of a live server is what that server says now: compare it with what is known from elsewhere.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { DetailedPeerCertificate } from 'node:tls';
import type { Command } from 'commander';
import { describeCertificate } from '../x509/certificate.ts';
import { readCertificates } from '../x509/pem.ts';
import { presentCertificate } from '../x509/presented.ts';
import type { PresentedCertificate } from '../x509/presented.ts';

export function registerPin(program: Command): void {
  program
    .command('pin')
    .description('show the pins of a certificate chain, in every spelling')
    .argument('<source...>', 'host, host:port, or a file with certificates (PEM or DER)')
    .option('--json', 'print a ready pinset instead (a list of them for several sources)')
    .action(async (sources: string[], options: { json?: true }) => {
      const pinsets: unknown[] = [];
      for (const source of sources) {
        try {
          const chain = await chainOf(source);
          if (options.json === true) pinsets.push(pinsetOf(source, chain));
          else process.stdout.write(pinText(source, chain));
        } catch (cause) {
          process.stderr.write(`tlspin pin: ${source}: ${sentence(cause)}\n`);
          process.exitCode = 1;
        }
      }
      if (pinsets.length > 0) {
        process.stdout.write(`${JSON.stringify(sources.length === 1 ? pinsets[0] : pinsets, null, 2)}\n`);
      }
    });
}

/** `host`, `host:443`, `192.0.2.1:443`, `[2001:db8::1]:443`, `2001:db8::1`; undefined when it is none of these. */
export function parseTarget(source: string): { host: string; port: number } | undefined {
  if (isIP(source) === 6) return { host: source, port: 443 };
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([^:/\s[\]]+))(?::(\d{1,5}))?$/i.exec(source) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || (bracketed !== undefined && isIP(bracketed) !== 6)) return undefined;
  const number = Number(port ?? 443);
  return number >= 1 && number <= 65_535 ? { host, port: number } : undefined;
}

/** For people: each certificate with what it is and its pins, the leaf first. */
export function pinText(source: string, chain: readonly PresentedCertificate[]): string {
  const parts = chain.map((certificate, index) => {
    const { subject, notAfter } = describeCertificate(certificate.der);
    const until = notAfter === null ? '' : ` (until ${notAfter.slice(0, 10)})`;
    const lines = spellings(certificate, index === 0).map((pin) => `    ${pin}`);
    return [
      `  ${index === 0 ? 'leaf' : `ca ${index}`}: ${subject ?? 'a certificate that cannot be read'}${until}`,
      ...lines,
    ];
  });
  return `${[source, ...parts.flat()].join('\n')}\n`;
}

/**
 * The leaf's key, with the key of its issuer as a backup: a pin above the leaf counts for the pinset's hosts only, and
 * any certificate that this CA issues for them.
 */
export function pinsetOf(source: string, chain: readonly PresentedCertificate[]): unknown {
  const [leaf, issuer] = chain;
  const target = existsSync(source) ? undefined : parseTarget(source);
  const { subject, subjectAltNames } = describeCertificate(leaf!.der);
  const hosts = target === undefined ? subjectAltNames.filter((name) => isIP(name) === 0) : [target.host];
  const comment = `${subject ?? 'unreadable'}, as seen on ${new Date().toISOString().slice(0, 10)}`;
  return {
    name: (target?.host ?? hosts[0] ?? source).slice(0, 64),
    match: {
      ...(target !== undefined && isIP(target.host) !== 0
        ? { addresses: [target.host] }
        : { hosts: hosts.length > 0 ? hosts : ['host.example'] }),
      ...(target !== undefined && target.port !== 443 ? { ports: [target.port] } : {}),
    },
    pins: [
      { pin: bestPin(leaf!), at: 'leaf', comment },
      ...(issuer === undefined
        ? []
        : [
            {
              pin: bestPin(issuer),
              at: 'ca',
              role: 'backup',
              comment: describeCertificate(issuer.der).subject ?? undefined,
            },
          ]),
    ],
  };
}

function bestPin(certificate: PresentedCertificate): string {
  return certificate.spkiSha256 === null
    ? `cert-sha256:${certificate.sha256}`
    : `spki-sha256:${base64(certificate.spkiSha256)}`;
}

function spellings(certificate: PresentedCertificate, isLeaf: boolean): string[] {
  const { sha1, sha256, spkiSha256, key } = certificate;
  const usage = isLeaf ? 3 : 2;
  const colons = sha256.toUpperCase().replace(/..(?=.)/g, '$&:');
  const ofCertificate = [`cert-sha1:${sha1}`, `cert-sha256:${sha256}`, `sha256 Fingerprint=${colons}`];
  if (spkiSha256 === null) return [...ofCertificate, `tlsa:${usage} 0 1 ${sha256}`];
  const digest = base64(spkiSha256);
  return [
    `spki-sha256:${digest}`,
    `sha256//${digest}`,
    `sha256/${digest}`,
    `pin-sha256="${digest}"`,
    `tlsa:${usage} 1 1 ${spkiSha256}`,
    ...ofCertificate,
    ...(key === null ? [] : [key]),
  ];
}

async function chainOf(source: string): Promise<PresentedCertificate[]> {
  const target = existsSync(source) ? undefined : parseTarget(source);
  const ders = target === undefined ? certificatesOfFile(source) : await liveChain(target.host, target.port);
  return ders.map(presentCertificate);
}

function certificatesOfFile(file: string): Uint8Array[] {
  const certificates = readCertificates(readFileSync(file));
  if (certificates.length === 0) throw new Error('this file holds no certificate in PEM or DER');
  return certificates;
}

/** What the server presents, the leaf first; OpenSSL orders it and may complete it with a root of its own. */
export function liveChain(host: string, port: number): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      // The certificate is shown, not believed.
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT@SECLEVEL=0',
      timeout: CONNECT_TIMEOUT,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    socket.once('error', fail);
    socket.once('timeout', () => fail(new Error(`no answer within ${CONNECT_TIMEOUT / 1000} s`)));
    socket.once('secureConnect', () => {
      const chain = unlink(socket.getPeerCertificate(true));
      socket.destroy();
      if (chain.length === 0) reject(new Error('the server presents no certificate'));
      else resolve(chain);
    });
  });
}

/** Node links a chain by its issuers; a root is linked to itself. */
function unlink(leaf: DetailedPeerCertificate): Uint8Array[] {
  const chain: Uint8Array[] = [];
  const seen = new Set<string>();
  let at: DetailedPeerCertificate | undefined = leaf;
  while (at?.raw !== undefined && !seen.has(at.fingerprint256)) {
    seen.add(at.fingerprint256);
    chain.push(new Uint8Array(at.raw));
    at = at.issuerCertificate;
  }
  return chain;
}

function sentence(cause: unknown): string {
  const error = cause as NodeJS.ErrnoException;
  switch (error.code) {
    case 'ENOENT':
      return 'there is no such file, and it is not a host or host:port either';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'there is no such host or file';
    case 'ECONNREFUSED':
      return 'the host refuses connections to this port';
    default:
      return error.message;
  }
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

const CONNECT_TIMEOUT = 10_000;
