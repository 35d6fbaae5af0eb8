/** Which learned hosts an operator means, who accepts a key that they were refused for. */
import type { LearnBook } from './book.ts';

export interface AcceptRequest {
  readonly pinset: string;
  /** A name, or ADDRESS:PORT of a server that was asked for none. */
  readonly host: string;
  /** Base64. */
  readonly spki: string;
}

/** As the book writes them; throws a sentence where there is none. */
export function refusedFor(book: LearnBook, { pinset, host, spki }: AcceptRequest): readonly string[] {
  const hosts = [...book.hostsOf(pinset)].flatMap(([name, { promoted, refused }]) => {
    const isHost = name === host || name.replace(/:\d+$/, '') === host;
    return isHost && promoted !== null && refused.some((key) => key.spki === spki) ? [name] : [];
  });
  if (hosts.length > 0) return hosts;
  throw new Error(`nothing is learned of ${host} for the pinset "${pinset}" that spki-sha256:${spki} was refused for`);
}
