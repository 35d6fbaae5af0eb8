/** TLS 1.3 through the engine: whose handshakes are recorded, and a prober that answers when it is told. */
import { X509Certificate } from 'node:crypto';

import type { ProbeAnswer, ProbedCertificates, Prober, ProbeRequest } from '../../src/judge/ports.ts';
import type { Situations } from '../../src/pins/policy.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { bank } from './flows.ts';
import { pin, PINNED } from './policy.ts';
import { identity, type Recording } from './recorded.ts';
import { Wire } from './wire.ts';

/** That of jumbo frames: a ServerHello with a post-quantum key share takes a whole ordinary segment. */
export const MSS = 8960;
export const genuine = identity('ecdsa', 'one');
export const forged = identity('ecdsa', 'two');
export const derOf = ({ cert }: { cert: string }) => new Uint8Array(new X509Certificate(cert).raw);
export const [genuineDer, forgedDer] = [derOf(genuine), derOf(forged)];
export const PIN = pin('spki-sha256', presentCertificate(genuineDer).spkiSha256!);

/** What each side says first; the client's hello, and the server's whole flight. */
export const flights = ({ fed }: Recording) => {
  const of = (side: string) => fed.filter(([from]) => from === side).map(([, octets]) => octets);
  return { hello: Buffer.from(of('client')[0]!), server: Buffer.concat(serverFirst(of('server'))) };
};
/** Session tickets come later on, in flights of their own. */
const serverFirst = (all: readonly Uint8Array[]) => all.slice(0, 1);

export class Asked implements Prober {
  readonly requests: ProbeRequest[] = [];
  readonly #done: ((answer: ProbeAnswer) => void)[] = [];

  /** The server has a connection for each question at once, unless a test says when. */
  isAtOnce = true;
  readonly connected: (() => void)[] = [];

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    this.requests.push(request);
    this.#done.push(done);
    if (this.isAtOnce) connected?.();
    else if (connected !== undefined) this.connected.push(connected);
  }

  /** A question that has no answer yet. */
  get isAsked(): boolean {
    return this.#done.length > 0;
  }

  answer(answer: ProbeAnswer): void {
    this.#done.shift()!(answer);
  }
}

export const shown = (der: Uint8Array, more: Partial<ProbedCertificates> = {}): ProbedCertificates => ({
  kind: 'certificates',
  chain: [der],
  isRawPublicKey: false,
  version: 0x0304,
  proven: true,
  alternatives: [],
  fromCache: false,
  ...more,
});
export const FAILED: ProbeAnswer = { kind: 'failed', reason: 'unreachable', detail: 'ECONNREFUSED', fromCache: false };

export const pinned = (situations: Partial<Situations>, more = {}) => ({
  pinsets: [bank({ pins: [PIN], situations: { ...PINNED, ...situations }, ...more })],
});
export const wireWith = (fields: object, options: object) => new Wire(fields, options).open();
