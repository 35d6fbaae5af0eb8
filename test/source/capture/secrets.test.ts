import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { CaptureSecrets, readKeyLogs, readSecretsBlocks } from '../../../src/source/capture/secrets.ts';
import { decryptionSecrets, enhancedPacket, interfaceBlock, pcap, sectionHeader } from '../../support/capture-bytes.ts';

const random = (octet: number) => new Uint8Array(32).fill(octet);
const hex = (octet: number) => octet.toString(16).padStart(2, '0').repeat(32);
const line = (octet: number, secret = 0xcd) => `SERVER_HANDSHAKE_TRAFFIC_SECRET ${hex(octet)} ${hex(secret)}\n`;
const block = (...lines: string[]) => decryptionSecrets(0x544c534b, Buffer.from(lines.join('')));
const packet = enhancedPacket(0, 0n, { octets: Buffer.alloc(60) });

const neverWarn = (sentence: string) => expect.fail(sentence);

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-secrets-'));
  path = join(directory, 'file');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('key logs', () => {
  it('are read together, to the last line, ended or not', () => {
    writeFileSync(path, `# comment\r\n${line(1)}CLIENT_RANDOM ${hex(9)} ${hex(9)}\n${line(2).trimEnd()}`);
    writeFileSync(`${path}2`, line(3).repeat(2000));
    const secrets = new CaptureSecrets(readKeyLogs([path, `${path}2`], neverWarn));
    expect([1, 2, 3].map((octet) => secrets.secretFor(random(octet)))).toEqual(Array(3).fill(random(0xcd)));
    expect(secrets.secretFor(random(9))).toBeUndefined();
  });

  it.each([
    ['gzip', gzipSync(line(1))],
    ['UTF-16, little endian', Buffer.from(`\ufeff${line(1)}`, 'utf16le')],
    ['UTF-16, big endian', Buffer.from(`\ufeff${line(1)}`, 'utf16le').swap16()],
    ['UTF-16 with the line ends of Windows', Buffer.from(`\ufeff${line(1).replace('\n', '\r\n')}`, 'utf16le')],
  ])('are read as %s', (_, octets) => {
    writeFileSync(path, octets);
    expect(new CaptureSecrets(readKeyLogs([path], neverWarn)).secretFor(random(1))).toEqual(random(0xcd));
  });

  it.each(['', 'CLIENT_RANDOM 00 11\n', '-----BEGIN CERTIFICATE-----\n'])('of no use, as %j, are named', (text) => {
    writeFileSync(path, text);
    const warnings: string[] = [];
    readKeyLogs([path], (sentence) => warnings.push(sentence));
    expect(warnings).toEqual([`key log ${path}: no line of it is a SERVER_HANDSHAKE_TRAFFIC_SECRET of TLS 1.3`]);
  });

  it('that cannot be read are named', () => {
    expect(() => readKeyLogs([path], neverWarn)).toThrow(`key log ${path}: cannot be read: ENOENT`);
    expect(() => readKeyLogs([directory], neverWarn)).toThrow(`key log ${directory}: cannot be read: EISDIR`);
  });
});

describe('secrets', () => {
  it('stay, whatever was decided by them', () => {
    writeFileSync(path, line(1));
    const secrets = new CaptureSecrets(readKeyLogs([path], neverWarn));
    secrets.reader().feed(Buffer.from(line(2)));
    secrets.forget();
    expect([1, 2].map((octet) => secrets.secretFor(random(octet)))).toEqual([random(0xcd), random(0xcd)]);
  });

  it('of a key log count before those of the capture', () => {
    writeFileSync(path, line(1, 0x11));
    const secrets = new CaptureSecrets(readKeyLogs([path], neverWarn));
    secrets.reader().feed(Buffer.from(line(1, 0x22)));
    expect(secrets.secretFor(random(1))).toEqual(random(0x11));
  });

  it('that the capture brings are told as they come, and each once', () => {
    const secrets = new CaptureSecrets();
    const told: (number | undefined)[] = [];
    secrets.onSecret((clientRandom) => told.push(clientRandom[0]));
    for (let reading = 0; reading < 2; reading++) secrets.reader().feed(Buffer.from(line(1) + line(2)));
    expect(told).toEqual([1, 2]);
  });

  it('of a reading that was cut short do not run into those of the next', () => {
    const secrets = new CaptureSecrets();
    secrets.reader().feed(Buffer.from(line(1).slice(0, 60)));
    secrets.reader().feed(Buffer.from(line(2)));
    expect(secrets.secretFor(random(2))).toEqual(random(0xcd));
  });
});

describe('a capture’s own secrets', () => {
  const found = async (at = path): Promise<boolean[]> => {
    const secrets = new CaptureSecrets();
    await readSecretsBlocks(at, secrets);
    return [1, 2, 3].map((octet) => secrets.secretFor(random(octet)) !== undefined);
  };
  const head = [sectionHeader(), interfaceBlock(1)];

  it('are found behind the packets, and in every section', async () => {
    const sections = [...head, packet, block(line(1), line(2)), packet, ...head, packet, block(line(3).trimEnd())];
    writeFileSync(path, Buffer.concat(sections));
    expect(await found()).toEqual([true, true, true]);
    writeFileSync(path, gzipSync(Buffer.concat(sections)));
    expect(await found()).toEqual([true, true, true]);
  });

  it('are found as far as the capture is whole; the damage is left to whoever reads the packets', async () => {
    const whole = Buffer.concat([...head, block(line(1)), packet, block(line(2))]);
    writeFileSync(path, whole.subarray(0, whole.length - 20));
    expect(await found()).toEqual([true, false, false]);
    expect(await found(join(directory, 'absent'))).toEqual([false, false, false]);
    expect(await found(directory)).toEqual([false, false, false]);
  });

  it('are in no other format', async () => {
    writeFileSync(path, pcap([{ octets: block(line(1)) }]));
    expect(await found()).toEqual([false, false, false]);
  });

  it('are not looked for where a reading takes the octets away', async () => {
    execFileSync('mkfifo', [path]);
    expect(await found()).toEqual([false, false, false]);
  });
});
