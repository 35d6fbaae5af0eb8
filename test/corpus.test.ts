/**
 * Real captures whose TLS flows are known, where they are on the machine: every flow must be seen as independent decoders
 * see it. Rows in which the octets say otherwise than the decoder that made the row are listed, with what they say.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SCORE = `${ROOT}../shared/corpus/score.py`;

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

/** What the program prints, whose exit status only says whether every row fits. */
function score(args: readonly string[]): string {
  try {
    return execFileSync('python3', [SCORE, ...args], { cwd: ROOT, encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}
