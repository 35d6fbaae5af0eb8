/**
 * Real handshakes of node:tls, over a pair of streams in memory: who wrote what, in order. Keys and certificates are made
 * by openssl when they are first needed, in a directory that goes with the process.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';

import type { Fed } from './handshake-recorder.ts';

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

export interface Recording {
  readonly fed: readonly Fed[];
  readonly protocol: string;
  readonly cipher: string;
  readonly resumed: boolean;
  /** For a later connection that resumes this one. */
  readonly session: Buffer | undefined;
  /** What the client logs of its secrets. */
  readonly keyLog: Buffer;
}

const identities = new Map<string, Identity>();

/** A self-signed certificate for `www.bank.example` with a key of this kind. */
export function identity(kind: 'rsa' | 'ecdsa', which = 'one'): Identity {
  const known = identities.get(`${kind} ${which}`);
  if (known !== undefined) return known;
  const directory = mkdtempSync(join(tmpdir(), 'tlspin-keys-'));
  const key = join(directory, 'key.pem');
  const cert = join(directory, 'cert.pem');
  const algorithm = kind === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const subject = ['-subj', '/CN=www.bank.example', '-addext', 'subjectAltName=DNS:www.bank.example'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-nodes', '-newkey', ...algorithm, '-keyout', key, '-out', cert, '-days', '2', ...subject],
    { stdio: 'ignore' },
  );
  const made = { key: readFileSync(key, 'latin1'), cert: readFileSync(cert, 'latin1') };
  rmSync(directory, { recursive: true });
  identities.set(`${kind} ${which}`, made);
  return made;
}

/** Keys of tickets and the store of sessions that several connections of one server share. */
export class ServerMemory {
  readonly ticketKeys = Buffer.alloc(48, 3);
  readonly sessions = new Map<string, Buffer>();
}

export async function record(
  server: tls.TlsOptions & { identity: Identity; memory?: ServerMemory },
  client: tls.ConnectionOptions = {},
): Promise<Recording> {
  const fed: Fed[] = [];
  const [clientEnd, serverEnd] = duplexPair();
  const { identity: own, memory, ...options } = server;
  const listener = tls.createServer({
    ...own,
    ciphers: 'DEFAULT:@SECLEVEL=0',
    minVersion: 'TLSv1',
    ...(memory === undefined ? {} : { ticketKeys: memory.ticketKeys }),
    ...options,
  });
  listener.on('newSession', (id: Buffer, data: Buffer, done: () => void) => {
    memory?.sessions.set(id.toString('hex'), data);
    done();
  });
  listener.on('resumeSession', (id: Buffer, done: (error: null, data: Buffer | null) => void) =>
    done(null, memory?.sessions.get(id.toString('hex')) ?? null),
  );
  tap(clientEnd, (octets) => fed.push(['client', octets]));
  tap(serverEnd, (octets) => fed.push(['server', octets]));
  const accepted = once(listener, 'secureConnection') as Promise<[tls.TLSSocket]>;
  listener.emit('connection', serverEnd);
  const socket = tls.connect({
    socket: clientEnd,
    servername: 'www.bank.example',
    rejectUnauthorized: false,
    ciphers: 'DEFAULT:@SECLEVEL=0',
    minVersion: 'TLSv1',
    ...client,
  });
  const secrets: Buffer[] = [];
  socket.on('keylog', (line: Buffer) => secrets.push(line));
  let session: Buffer | undefined;
  socket.on('session', (data: Buffer) => {
    session = data;
  });
  const [[peer]] = await Promise.all([accepted, once(socket, 'secureConnect')]);
  socket.write('question');
  await once(peer, 'data');
  peer.write('answer');
  await once(socket, 'data');
  const recording = {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    resumed: socket.isSessionReused(),
    session,
    keyLog: Buffer.concat(secrets),
    fed: [...fed],
  };
  socket.destroy();
  peer.destroy();
  return recording;
}

function tap(end: Duplex, onWrite: (octets: Buffer) => void): void {
  const write = end._write.bind(end);
  end._write = (chunk: Buffer, encoding, callback) => {
    onWrite(Buffer.from(chunk));
    write(chunk, encoding, callback);
  };
}
