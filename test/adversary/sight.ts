/** What a client of TLS 1.2 gets to see in the octets that it was given, whatever records they came in. */

/**
 * The first certificate of each Certificate message that is there as a whole, up to what is encrypted or no record, or to
 * the end of a flight that had one: behind its ServerHelloDone no client takes another (RFC 5246 §7.3).
 */
export function certificatesIn(received: Buffer): Buffer[] {
  const bodies: Buffer[] = [];
  for (let at = 0; at + 5 <= received.length && received[at + 1] === 3;) {
    const type = received[at]!;
    const end = at + 5 + received.readUInt16BE(at + 3);
    if (type === 20 || type === 23 || type < 20 || type > 24) break;
    if (type === 22) bodies.push(received.subarray(at + 5, end));
    at = end;
  }
  const messages = Buffer.concat(bodies);
  const leaves: Buffer[] = [];
  for (let at = 0; at + 4 <= messages.length; at += 4 + messages.readUIntBE(at + 1, 3)) {
    if (messages[at] === SERVER_HELLO_DONE && leaves.length > 0) break;
    const body = messages.subarray(at + 4, at + 4 + messages.readUIntBE(at + 1, 3));
    const isWhole = body.length === messages.readUIntBE(at + 1, 3);
    if (messages[at] !== 11 || !isWhole || body.length < 6) continue;
    leaves.push(body.subarray(6, 6 + body.readUIntBE(3, 3)));
  }
  return leaves;
}

const SERVER_HELLO_DONE = 14;
