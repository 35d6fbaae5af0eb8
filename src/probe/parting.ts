/**
 * How a probe goes away once it was shown what it asked for: as clients do that have connected and find nobody who needs
 * the connection any more. Which way is drawn for each probe, most often the one that servers take least notice of.
 *
 *   closed      Finished, and close_notify under the keys behind it: nearly no server writes anything about that
 *   dropped     Finished and nothing else, as browsers that drop a connection which they had opened ahead of time
 *   abandoned   nothing: a client that is gone before its handshake is over
 *
 * Up to TLS 1.2 all are abandoned: Finished would take another round trip, and keys that nothing else needs, and behind a
 * close_notify in its place servers that serve one after the other come late to the next client. No reset, which servers
 * count against an address; and no user_canceled, which GnuTLS takes for an error. Knows no sockets.
 */
import { randomInt, timingSafeEqual } from 'node:crypto';

import { CLOSE_NOTIFY, CONTENT, HANDSHAKE } from '../tls/constants.ts';
import type { EncryptedFlight } from '../tls/encrypted-flight.ts';
import { clientTrafficSecret, type HandshakeTrafficSecrets, type Tls13Suite, verifyData } from '../tls/key-schedule.ts';
import { RecordProtection } from '../tls/record-protection.ts';
import type { Transcript } from '../tls/transcript.ts';

export type Parting = 'closed' | 'dropped' | 'abandoned';

export function drawParting(draw = randomInt): Parting {
  return PARTINGS[draw(PARTINGS.length)]!;
}

export interface FinishedHandshake {
  readonly suite: Tls13Suite;
  readonly secrets: HandshakeTrafficSecrets;
  /** Up to the server's CertificateVerify; goes on here. */
  readonly transcript: Transcript;
  readonly flight: EncryptedFlight;
}

/**
 * What a client says last: records, in as many writes as they are. None where it would have to say more than a probe
 * knows, or where the server's Finished is not of this handshake; undefined while that has not come.
 */
export function lastWords(parting: Parting, handshake: FinishedHandshake): readonly Uint8Array[] | undefined {
  const { suite, secrets, transcript, flight } = handshake;
  if (parting === 'abandoned' || flight.asksForMore || flight.alert !== undefined) return [];
  const { finished } = flight;
  if (finished === undefined) return undefined;
  const expected = verifyData(suite, secrets.server, transcript.digest());
  if (finished.length !== expected.length || !timingSafeEqual(finished, expected)) return [];
  transcript.add(HANDSHAKE.finished, finished);
  const handshakeHash = transcript.digest();
  const own = verifyData(suite, secrets.client, handshakeHash);
  const message = Buffer.concat([Uint8Array.of(HANDSHAKE.finished, 0, 0, own.length), own]);
  const said = [new RecordProtection(suite, secrets.client).seal(CONTENT.handshake, message)];
  if (parting === 'closed') {
    const secret = clientTrafficSecret(suite, secrets.master, handshakeHash);
    said.push(new RecordProtection(suite, secret).seal(CONTENT.alert, CLOSE_NOTIFY));
  }
  return said;
}

/** Each as likely as it is often here. */
const PARTINGS: readonly Parting[] = [...Array<Parting>(6).fill('closed'), 'dropped', 'abandoned'];
