/** What `tlspin pin` found at one source, as the table and the pinset are made of. Connects nowhere and reads no files. */
import { printable } from '../../bytes/invisible.ts';
import { tlsVersionName } from '../../report/eve.ts';
import { factsOf } from '../../x509/facts.ts';
import type { PresentedCertificate } from '../../x509/presented.ts';
import type { LiveChain } from './live.ts';
import type { Target } from './target.ts';

/** A key without a certificate. */
export interface BareKey {
  readonly kind: 'request' | 'public-key';
  readonly spki: Uint8Array;
  readonly subject: string | null;
  readonly names: readonly string[];
}

export interface Finding {
  /** As it was asked for. */
  readonly source: string;
  readonly target: Target | undefined;
  /** Undefined for files. */
  readonly live: LiveChain | undefined;
  /** As sent, or as in the file. */
  readonly chain: readonly PresentedCertificate[];
  readonly keys: readonly BareKey[];
}

/** A server's first certificate is its own, whatever it says; of a file, those that are no authority's. */
export function isLeaf({ der }: PresentedCertificate, index: number, live: LiveChain | undefined): boolean {
  return live === undefined ? factsOf(der)?.isCa !== true : index === 0;
}

export function circumstances({ address, version, serverName, proven }: LiveChain): string {
  const name = serverName === null ? 'no server name' : `server name ${printable(serverName)}`;
  const proof = proven ? '' : '; the server did not show that it has the key';
  return `(${address}, ${tlsVersionName(version)}, ${name}${proof})`;
}
