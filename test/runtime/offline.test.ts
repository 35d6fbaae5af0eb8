/** Captures of TLS 1.3, and the secrets that come with them or beside them. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { VerdictEvent } from '../../src/judge/events.ts';
import type { Policy, Situations } from '../../src/pins/policy.ts';
import { inspectCapture } from '../../src/runtime/offline.ts';
import { readKeyLogs } from '../../src/source/capture/secrets.ts';
import { readCertificates } from '../../src/x509/pem.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { decryptionSecrets, enhancedPacket, interfaceBlock, pcap, sectionHeader } from '../support/capture-bytes.ts';
import { match, pin, PINNED, pinset, policy } from '../support/policy.ts';
import { identity, record, type Recording } from '../support/recorded.ts';
import { frames, LINK_TYPE_RAW } from '../support/recorded-capture.ts';

const TLS_KEY_LOG = 0x544c534b;
let directory: string;
let recording: Recording;
let leaf: Uint8Array;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-offline-'));
  const own = identity('ecdsa');
  leaf = readCertificates(Buffer.from(own.cert))[0]!;
  recording = await record({ identity: own }, { minVersion: 'TLSv1.3' });
});
afterAll(() => rmSync(directory, { recursive: true }));

const at = (name: string): string => join(directory, name);
const head = () => Buffer.concat([sectionHeader(), interfaceBlock(LINK_TYPE_RAW)]);
const packets = (of = recording, clientPort?: number): Buffer =>
  Buffer.concat(frames(of.fed, clientPort).map((octets) => enhancedPacket(0, 0n, { octets })));
const secrets = (of = recording): Buffer => decryptionSecrets(TLS_KEY_LOG, of.keyLog);

async function inspect(
  capture: Buffer | string,
  { keyLog, pinned = policy() }: { keyLog?: Buffer; pinned?: Policy } = {},
): Promise<VerdictEvent[]> {
  const events: VerdictEvent[] = [];
  if (typeof capture !== 'string') writeFileSync(at('capture'), capture);
  if (keyLog !== undefined) writeFileSync(at('keys'), keyLog);
  await inspectCapture({
    path: typeof capture === 'string' ? capture : at('capture'),
    policy: pinned,
    checksums: true,
    secrets: readKeyLogs(keyLog === undefined ? [] : [at('keys')], () => {}),
    onEvent: (event) => event.kind === 'verdict' && events.push(event),
  });
  return events;
}

const hidden = () => ({ evidence: 'none', tls: { version: 0x0304, certificates: [] } });
const shown = () => ({ evidence: 'decrypted', tls: { version: 0x0304, certificates: [leaf] } });

describe('a certificate of TLS 1.3', () => {
  it('is hidden where there are no secrets', async () => {
    expect(await inspect(Buffer.concat([head(), packets()]))).toMatchObject([hidden()]);
  });

  it('is shown by a key log, in any format of captures', async () => {
    const { keyLog } = recording;
    const raw = pcap(
      frames(recording.fed).map((octets) => ({ octets })),
      { linkType: LINK_TYPE_RAW },
    );
    expect(await inspect(raw, { keyLog })).toMatchObject([shown()]);
    expect(await inspect(Buffer.concat([head(), packets()]), { keyLog })).toMatchObject([shown()]);
  });

  it('is shown by the secrets that the capture has itself, before the packets or behind them', async () => {
    expect(await inspect(Buffer.concat([head(), secrets(), packets()]))).toMatchObject([shown()]);
    expect(await inspect(Buffer.concat([head(), packets(), secrets()]))).toMatchObject([shown()]);
    expect(await inspect(gzipSync(Buffer.concat([head(), packets(), secrets()])))).toMatchObject([shown()]);
    const inAnotherSection = Buffer.concat([head(), packets(), head(), secrets()]);
    expect(await inspect(inAnotherSection)).toMatchObject([shown()]);
  });

  it('is shown by what came before it, where the octets come but once', async () => {
    writeFileSync(at('packets'), packets());
    writeFileSync(at('secrets'), secrets());
    for (const [first, second, expected] of [
      ['secrets', 'packets', shown()],
      ['packets', 'secrets', hidden()],
    ] as const) {
      const pipe = at(`pipe of ${first}`);
      execFileSync('mkfifo', [pipe]);
      writeFileSync(at('head'), head());
      spawn('sh', ['-c', `(cat head ${first}; sleep 0.3; cat ${second}) > "$0"`, pipe], { cwd: directory });
      expect(await inspect(pipe)).toMatchObject([expected]);
    }
  });

  it('is not shown by the secrets of other connections', async () => {
    const other = await record({ identity: identity('ecdsa') }, { minVersion: 'TLSv1.3' });
    expect(await inspect(Buffer.concat([head(), secrets(other), packets()]))).toMatchObject([hidden()]);
    const both = Buffer.concat([head(), packets(), packets(other, 40_000), secrets(other), secrets()]);
    expect(await inspect(both)).toMatchObject([shown(), shown()]);
  });

  it('is shown whenever it goes by: a capture’s secrets do not age', async () => {
    const years = (count: number) => BigInt(count) * 31_536_000_000_000n;
    const list = [0, 40].flatMap((age, index) =>
      frames(recording.fed, 40_000 + index).map((octets) => enhancedPacket(0, years(age), { octets })),
    );
    expect(await inspect(Buffer.concat([head(), secrets(), ...list]))).toMatchObject([shown(), shown()]);
  });
});

describe('a pinset', () => {
  const pinnedTo = (spkiSha256: string, tls13: Situations['tls13']): Policy =>
    policy({
      pinsets: [
        pinset(0, {
          match: match({ hosts: ['www.bank.example'] }),
          pins: [pin('spki-sha256', spkiSha256)],
          situations: { ...PINNED, tls13 },
        }),
      ],
    });
  const genuine = (tls13: Situations['tls13']): Policy => pinnedTo(presentCertificate(leaf).spkiSha256!, tls13);

  it('is judged by the certificate that the secrets show', async () => {
    const { keyLog } = recording;
    const capture = Buffer.concat([head(), packets()]);
    expect(await inspect(capture, { keyLog, pinned: genuine('keylog') })).toMatchObject([
      { ...shown(), reason: 'pin-match', action: 'accept' },
    ]);
    expect(await inspect(capture, { keyLog, pinned: pinnedTo('aa'.repeat(32), 'keylog') })).toMatchObject([
      { ...shown(), reason: 'pin-mismatch', action: 'tls-alert' },
    ]);
  });

  it('that wants a secret which nobody logged is judged by that', async () => {
    expect(await inspect(Buffer.concat([head(), packets()]), { pinned: genuine('keylog') })).toMatchObject([
      { ...hidden(), reason: 'keylog-missing', action: 'tls-alert' },
    ]);
  });
});
