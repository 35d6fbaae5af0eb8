/**
 * Real captures whose TLS flows are known, where they are on the machine: every flow must be seen as independent decoders
 * see it. Rows in which the octets say otherwise than the decoder that made the row are listed, with what they say.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

import { expect, test } from 'vitest';

import { recordSchema } from '../src/report/schema.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CORPUS = `${ROOT}../shared/corpus/`;
const SCORE = `${CORPUS}score.py`;
const KEY_LOGGED = `${CORPUS}expected-keylog.ndjson`;
const DATAGRAMS: ReadonlySet<string> = new Set(['quic', 'dtls']);
const DATAGRAM_VERSIONS: Readonly<Record<string, string>> = {
  'TLSv1.3': 'TLS 1.3',
  'DTLSv1.0-openssl': 'DTLS 0.9',
  'DTLSv1.0': 'DTLS 1.0',
  'DTLSv1.2': 'DTLS 1.2',
  'DTLSv1.3': 'DTLS 1.3',
};

/** Capture and client port -> why the row is not what the octets say. */
const OTHERWISE: Readonly<Record<string, string>> = {
  // Frame 904: supported_versions of the ServerHello is empty; 0x002c is the type of the next extension.
  'arkime/tests/pcap/arkime_synthetic.pcap 49621': 'version: want 0x002c, have TLS 1.2',
  // Frame 4: the row was made without the secrets that the capture itself has (frame 1 on), which show the certificates.
  'ja4/pcap/chrome-cloudflare-quic-with-secrets.pcapng 57098':
    "sha256: want [], have ['31bd22783c4dba6fc20c976f3aa8d69344c0f38bd03f02c64602279d832995eb', " +
    "'3abbe63daf756c5016b6b85f52015fd8e8acbe277c5087b127a60563a841ed8a']",
  // Frame 6: TLS gives the certificate 9 octets, of which DER would take 7. It is hashed as it was sent.
  'suricata-verify/tests/bug-1450-04/tls_DER-incomplete-header.pcap 50802':
    "sha256: want ['26bd8df98cae30a6abbdd9c3be1d65b29936b68fc1c6bf629efe88edec04632c'], " +
    "have ['a8b66060986b36dd65e1ea9f3849e4adf8f95af8e02ac555f2bdb1354636e097']",
};

test.skipIf(!existsSync(SCORE))(
  existsSync(SCORE) ? 'every flow of the captures is seen as it is' : 'the captures are not on this machine',
  () => {
    const command = ['--verbose', '--', process.execPath, 'dist/cli/main.js', 'inspect'];
    const output = score(command);
    const differences = [...output.matchAll(/^(\S+) \['[^']+', (\d+)\] -> \S+ \d+\]: (.*)$/gm)].map(
      ([, file, port, what]) => [`${file} ${port}`, what],
    );
    expect(Object.fromEntries(differences)).toEqual(OTHERWISE);
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
    expect(Number(failed)).toBe(Object.keys(OTHERWISE).length);
    expect(Number(passed) + Number(failed)).toBe(1087);
  },
  240_000,
);

interface KeyLoggedFlow {
  readonly file: string;
  /** A key log beside the captures, or `embedded-dsb`. */
  readonly secrets: string;
  readonly kind: string;
  readonly client: readonly [address: string, port: number];
  readonly server: readonly [address: string, port: number];
  readonly version: string | null;
  readonly certificates: readonly { readonly sha256: string }[];
}

/** Captures that are there under another name. */
const ALSO_KNOWN_AS: Readonly<Record<string, string>> = {
  'wireshark/test/captures/quic-with-secrets.pcapng': 'ja4/pcap/chrome-cloudflare-quic-with-secrets.pcapng',
};

const keyLogged = existsSync(KEY_LOGGED) ? flowsWithSecrets() : [];

if (keyLogged.length === 0) test.skip('the captures with secrets are not on this machine');

test.for(keyLogged)('$file, $client: what the secrets show ($secrets)', (flow, { skip }) => {
  const { file, secrets, client, server, version, certificates } = flow;
  const capture = `${CORPUS}captures/${ALSO_KNOWN_AS[file] ?? file}`;
  if (!existsSync(capture)) return skip('the capture is not on this machine');
  const keyLog = secrets === 'embedded-dsb' ? [] : ['--keylog', CORPUS + secrets];
  const record = inspect([...keyLog, capture]).find(
    (each) => each.src_port === client[1] && each.dest_port === server[1] && each.src_ip === client[0],
  );
  expect(record?.tls?.certificates?.map(({ sha256 }) => sha256) ?? []).toEqual(
    certificates.map(({ sha256 }) => sha256),
  );
  const isHidden = version?.startsWith('TLSv1.3') ?? false;
  expect(record?.verdict.evidence).toBe(certificates.length === 0 ? 'none' : isHidden ? 'decrypted' : 'observed');
});

function flowsWithSecrets(): KeyLoggedFlow[] {
  const lines = readFileSync(KEY_LOGGED, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as KeyLoggedFlow).filter(({ kind }) => kind === 'tls');
}

interface EveRecord {
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_port: number;
  readonly verdict: { readonly evidence: string };
  readonly tls?: { readonly certificates?: readonly { readonly sha256: string }[] };
}

function inspect(args: readonly string[]): EveRecord[] {
  const { stdout } = spawnSync(process.execPath, ['dist/cli/main.js', 'inspect', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => recordSchema.parse(JSON.parse(line)) as EveRecord);
}

interface Row {
  readonly file: string;
  readonly kind: string;
  readonly client: readonly [string, number];
  readonly server: readonly [string, number];
  readonly sni: string | null;
  readonly version: string | null;
  readonly certificates: readonly { readonly sha256: string; readonly spki_sha256: string | null }[];
}

interface DatagramRecord {
  readonly pcap_filename: string;
  readonly proto: string;
  readonly app_proto?: string;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_ip: string;
  readonly dest_port: number;
  readonly tls?: {
    readonly sni?: string;
    readonly version: string | null;
    readonly certificates: readonly { readonly sha256: string; readonly spki_sha256: string | null }[];
  };
}

test.skipIf(!existsSync(SCORE))(
  existsSync(SCORE)
    ? 'every QUIC and DTLS flow of the captures that has a name or a certificate is seen as it is'
    : 'the captures are not on this machine',
  () => {
    const rows = readFileSync(`${CORPUS}expected.ndjson`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row)
      .filter(({ kind, sni, certificates }) => DATAGRAMS.has(kind) && (sni !== null || certificates.length > 0));
    const captures = [...new Set(rows.map(({ file }) => `${CORPUS}captures/${file}`))];
    const output = execFileSync(process.execPath, ['dist/cli/main.js', 'inspect', ...captures], {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const records = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as DatagramRecord)
      .filter(({ proto }) => proto === 'UDP');
    expect(rows.filter((row) => !records.some((record) => fits(row, record)))).toEqual([]);
    expect([...DATAGRAMS].map((kind) => rows.filter((row) => row.kind === kind).length)).toEqual([264, 14]);
  },
  120_000,
);

function fits(row: Row, record: DatagramRecord): boolean {
  const { tls } = record;
  return (
    record.pcap_filename === `${CORPUS}captures/${row.file}` &&
    record.app_proto === row.kind &&
    isDeepStrictEqual(
      [record.src_ip, record.src_port, record.dest_ip, record.dest_port],
      [...row.client, ...row.server],
    ) &&
    (row.sni === null || row.sni.toLowerCase() === tls?.sni?.toLowerCase()) &&
    (row.version === null || DATAGRAM_VERSIONS[row.version] === tls?.version) &&
    isDeepStrictEqual(
      row.certificates.map(({ sha256, spki_sha256: spki }) => [sha256, spki]),
      (tls?.certificates ?? []).map(({ sha256, spki_sha256: spki }) => [sha256, spki]),
    )
  );
}

/** What the program prints, whose exit status only says whether every row fits. */
function score(args: readonly string[]): string {
  try {
    return execFileSync('python3', [SCORE, ...args], { cwd: ROOT, encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}
