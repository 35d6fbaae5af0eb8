/**
 * Somebody who has broken into a broker of the fleet, and puts there what gateways are to take. Takes a JSON argument:
 * { servers, nkey, key, what }: `forge` sends the latest document with an octet changed, `unsigned` something without a
 * signature, `replay` the oldest document that is kept.
 */
import { readFileSync } from 'node:fs';

import { Kvm } from '@nats-io/kv';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';

const { servers, nkey, key, what } = JSON.parse(process.argv[2]);
const connection = await connect({ servers, authenticator: nkeyAuthenticator(readFileSync(nkey)) });
const bucket = await new Kvm(connection).open('tlspin-documents');
const kept = [];
for await (const { value } of await bucket.history({ key })) kept.push(value);
await bucket.put(
  key,
  { forge: () => forged(kept.at(-1)), unsigned: () => Buffer.from('trust me'), replay: () => kept[0] }[what](),
);
await connection.drain();

function forged(document) {
  const octets = Buffer.from(document);
  octets[octets.length - 10] ^= 1;
  return octets;
}
