import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type HandshakeSecret, KeyLogReader, parseKeyLog, parseKeyLogLine } from '../../src/source/key-log.ts';
import { KeyLogFile } from '../../src/source/key-log-file.ts';
import { KeyLogSocket } from '../../src/source/key-log-socket.ts';
import { KeyLogStore } from '../../src/source/key-log-store.ts';

const RANDOM = 'ab'.repeat(32);
const SECRET = 'cd'.repeat(32);
const LABEL = 'SERVER_HANDSHAKE_TRAFFIC_SECRET';
const line = (index: number) => `${LABEL} ${index.toString(16).padStart(64, '0')} ${SECRET}\n`;
const indexOf = ({ clientRandom }: HandshakeSecret) => clientRandom[31];

describe('a line', () => {
  it('has a client random and the secret of the server’s handshake', () => {
    expect(parseKeyLogLine(`${LABEL} ${RANDOM} ${SECRET}`)).toEqual({
      clientRandom: new Uint8Array(32).fill(0xab),
      secret: new Uint8Array(32).fill(0xcd),
    });
  });

  it.each([
    ['with a secret of 48 octets', `${LABEL} ${RANDOM} ${'cd'.repeat(48)}`],
    ['in upper case', `${LABEL} ${RANDOM.toUpperCase()} ${SECRET.toUpperCase()}`],
    ['that ends with a carriage return', `${LABEL} ${RANDOM} ${SECRET}\r`],
  ])('counts %s', (_, text) => expect(parseKeyLogLine(text)).toBeDefined());

  it.each([
    ['a comment', `# ${LABEL} ${RANDOM} ${SECRET}`],
    ['nothing', ''],
    ['the client’s secret', `CLIENT_HANDSHAKE_TRAFFIC_SECRET ${RANDOM} ${SECRET}`],
    ['application data’s secret', `SERVER_TRAFFIC_SECRET_0 ${RANDOM} ${SECRET}`],
    ['a master secret of TLS 1.2', `CLIENT_RANDOM ${RANDOM} ${'cd'.repeat(48)}`],
    ['a short random', `${LABEL} ${RANDOM.slice(2)} ${SECRET}`],
    ['a secret of another length', `${LABEL} ${RANDOM} ${'cd'.repeat(20)}`],
    ['half an octet', `${LABEL} ${RANDOM} ${SECRET}c`],
    ['something behind', `${LABEL} ${RANDOM} ${SECRET} x`],
    ['something before', ` ${LABEL} ${RANDOM} ${SECRET}`],
    ['no hexadecimal', `${LABEL} ${'xy'.repeat(32)} ${SECRET}`],
  ])('does not count where it is %s', (_, text) => expect(parseKeyLogLine(text)).toBeUndefined());
});

describe('a log', () => {
  const log = Buffer.from(`# comment\n${line(1)}CLIENT_RANDOM ${RANDOM} 00\n\n${line(2)}${line(3).trimEnd()}`);

  it('is read to its last line, ended or not', () => {
    expect(parseKeyLog(log).map(indexOf)).toEqual([1, 2, 3]);
  });

  it('is the same split at every octet', () => {
    for (let cut = 0; cut <= log.length; cut++) {
      const secrets: HandshakeSecret[] = [];
      const reader = new KeyLogReader((secret) => secrets.push(secret));
      reader.feed(log.subarray(0, cut));
      reader.feed(log.subarray(cut));
      reader.end();
      expect(secrets.map(indexOf)).toEqual([1, 2, 3]);
    }
  });

  it('is read on behind a line that is too long', () => {
    expect(parseKeyLog(Buffer.from(`${'x'.repeat(1 << 20)}\n${line(7)}`)).map(indexOf)).toEqual([7]);
    expect(parseKeyLog(Buffer.from(`${line(7).trimEnd()}${'0'.repeat(1 << 20)}\n`))).toEqual([]);
  });

  it('of any octets at all is read', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseKeyLog(bytes)));
  });
});

describe('the store', () => {
  let now = 0;
  const secretOf = (index: number): HandshakeSecret => parseKeyLog(Buffer.from(line(index)))[0]!;
  const has = (store: KeyLogStore, index: number) => store.secretFor(secretOf(index).clientRandom) !== undefined;

  it('gives a secret until it is forgotten', () => {
    const store = new KeyLogStore();
    store.add(secretOf(1));
    expect(store.secretFor(secretOf(1).clientRandom)).toEqual(secretOf(1).secret);
    expect(has(store, 2)).toBe(false);
    store.forget(secretOf(1).clientRandom);
    expect(has(store, 1)).toBe(false);
    expect(store.size).toBe(0);
  });

  it('gives the latest one of a random', () => {
    const store = new KeyLogStore();
    const later = { ...secretOf(1), secret: new Uint8Array(32).fill(9) };
    store.add(secretOf(1));
    store.add(later);
    expect(store.secretFor(later.clientRandom)).toEqual(later.secret);
    expect(store.size).toBe(1);
  });

  it('keeps a secret for a while only', () => {
    const store = new KeyLogStore({ ttl: 1000, now: () => now });
    store.add(secretOf(1));
    now += 999;
    store.add(secretOf(2));
    expect(has(store, 1)).toBe(true);
    now += 1;
    expect([has(store, 1), has(store, 2), store.size]).toEqual([false, true, 1]);
  });

  it('keeps so many and no more, the latest ones', () => {
    const store = new KeyLogStore({ entries: 2 });
    for (const index of [1, 2, 3]) store.add(secretOf(index));
    expect([1, 2, 3].map((index) => has(store, index))).toEqual([false, true, true]);
  });

  it('tells of each secret that comes', () => {
    const store = new KeyLogStore();
    const told: number[] = [];
    store.add(secretOf(1));
    store.onSecret((clientRandom) => told.push(clientRandom[31]!));
    store.add(secretOf(2));
    expect(told).toEqual([2]);
  });
});

describe('a place', () => {
  let directory: string;
  let path: string;
  let seen: (number | undefined)[];
  let troubles: string[];
  let file: KeyLogFile | undefined;
  let socket: KeyLogSocket | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tlspin-keylog-'));
    path = join(directory, 'keys');
    seen = [];
    troubles = [];
  });

  afterEach(async () => {
    file?.stop();
    await socket?.stop();
    file = socket = undefined;
    rmSync(directory, { recursive: true });
  });

  const reader = () => new KeyLogReader((secret) => seen.push(indexOf(secret)));
  const follow = (at = path): void => {
    const log = reader();
    file = new KeyLogFile({ path: at, onBytes: (bytes) => log.feed(bytes), onTrouble: (text) => troubles.push(text) });
    file.start();
  };
  const sees = (...indexes: number[]) => expect.poll(() => seen, { timeout: 5000 }).toEqual(indexes);

  it('that is a file tells what is appended, and soon', async () => {
    writeFileSync(path, line(1));
    follow();
    const began = performance.now();
    appendFileSync(path, line(2));
    appendFileSync(path, line(3).slice(0, 50));
    await sees(2);
    expect(performance.now() - began).toBeLessThan(500);
    appendFileSync(path, line(3).slice(50) + line(4));
    await sees(2, 3, 4);
  });

  it('that is a file may come later', async () => {
    follow();
    writeFileSync(path, line(1));
    await sees(1);
  });

  it('that is a file may be emptied, and replaced', async () => {
    writeFileSync(path, line(1) + line(1));
    follow();
    truncateSync(path, 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    appendFileSync(path, line(2));
    await sees(2);
    appendFileSync(path, line(3));
    renameSync(path, `${path}.1`);
    writeFileSync(path, line(4));
    await sees(2, 3, 4);
    rmSync(path);
    await new Promise((resolve) => setTimeout(resolve, 50));
    writeFileSync(path, line(5));
    await sees(2, 3, 4, 5);
    expect(troubles).toEqual([]);
  });

  it('that cannot be a file is told at once', () => {
    expect(() => follow(join(directory, 'nowhere', 'keys'))).toThrow(
      /its directory cannot be watched \(ENOENT\): make it/,
    );
    expect(() => follow(directory)).toThrow(/not a file/);
  });

  it('that is a socket takes the lines of any number of clients, each for itself', async () => {
    socket = new KeyLogSocket({ path, mode: 0o600, onConnection: reader });
    await socket.start();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const clients = [connect(path), connect(path)] as const;
    clients[0].write(line(1).slice(0, 70));
    clients[1].write(line(2));
    await sees(2);
    clients[0].end(line(1).slice(70));
    await sees(2, 1);
    clients[1].end(line(3).trimEnd());
    await sees(2, 1, 3);
  });

  it('that is a socket nobody listens on is taken over, and no other', async () => {
    const first = new KeyLogSocket({ path, onConnection: reader });
    await first.start();
    const second = new KeyLogSocket({ path, onConnection: reader });
    await expect(second.start()).rejects.toThrow(/somebody listens there already/);
    await first.stop();
    await second.start();
    await second.stop();
    const absent = join(directory, 'nowhere', 'keys');
    await expect(new KeyLogSocket({ path: absent, onConnection: reader }).start()).rejects.toThrow(
      `key log socket ${absent}: cannot be made (EACCES): its directory has to be there`,
    );
    writeFileSync(path, 'mine');
    await expect(new KeyLogSocket({ path, onConnection: reader }).start()).rejects.toThrow(/remove it/);
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });
});
