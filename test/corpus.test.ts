/**
 * Real captures whose TLS flows are known, where they are on the machine: every flow must be seen as independent decoders
 * see it. Rows in which the octets say otherwise than the decoder that made the row are listed, with what they say.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CORPUS = `${ROOT}../shared/corpus/`;
const SCORE = `${CORPUS}score.py`;
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
