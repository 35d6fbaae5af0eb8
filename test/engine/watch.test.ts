import { describe, expect, it } from 'vitest';

import { certificate, fixturePath } from '../support/certificates.ts';
import { match, pinset } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const HOST = 'www.bank.example';
const pinned = { pinsets: [pinset(0, { match: match({ hosts: [HOST] }) })] };

function handshakeEvents(wire: Wire) {
  return wire.events.filter((event) => event.kind === 'handshake');
}

describe('a watched flow', () => {
  it('says each handshake message in its order, with the name and the leaf once they are known', () => {
    const wire = new Wire(pinned, { watch: true }).open();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(tls.serverFlight(fixturePath('leaf')));
    const seen = handshakeEvents(wire).map(({ from, messageType, sni }) => [from, messageType, sni]);
    expect(seen.slice(0, 3)).toEqual([
      ['client', tls.HANDSHAKE.clientHello, HOST],
      ['server', tls.HANDSHAKE.serverHello, HOST],
      ['server', tls.HANDSHAKE.certificate, HOST],
    ]);
    expect(Buffer.compare(handshakeEvents(wire)[2]!.leaf!, certificate('leaf'))).toBe(0);
  });

  it('says nothing where nobody watches', () => {
    const wire = new Wire(pinned).open();
    wire.fromClient(tls.clientHello(HOST));
    expect(handshakeEvents(wire)).toEqual([]);
  });
});
