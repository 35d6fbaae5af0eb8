/** Hellos as one question: those that are equal but for what a client's next hello says anew, which no probe repeats. */
import { latin1Of } from '../bytes/latin1.ts';
import { OwnOctets } from '../tls/hello-patterns.ts';

/** The octets of a hello's body with zeros for its own, a character each; undefined where it cannot be read. */
export function withoutOwnOctets(clientHello: Uint8Array): string | undefined {
  if (!own.read(clientHello)) return undefined;
  const octets = new Uint8Array(clientHello);
  const { edges, count } = own;
  for (let edge = 0; edge < count; edge += 2) octets.fill(0, edges[edge], edges[edge + 1]);
  return latin1Of(octets);
}

const own = new OwnOctets();
