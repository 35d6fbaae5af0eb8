/** Connections one after the other through one engine: whole handshakes, and abbreviated ones with what those gave out. */
import { GENUINE, HOST } from './flows.ts';
import * as tls from './tls-bytes.ts';
import type { Wire } from './wire.ts';

export const handshake = (...messages: readonly Uint8Array[]) => tls.record(22, Buffer.concat(messages));
export const finish = Buffer.concat([tls.changeCipherSpec, tls.finished]);

/** The next connection of the same client, from another port of its as conntrack sees it. */
let ctid = 100;
export function next(wire: Wire): {
  client: (o: Uint8Array | string, more?: object) => void;
  server: (o: Uint8Array, more?: object) => void;
} {
  ctid++;
  const c = { seq: 1000, ack: 5000 };
  const s = { seq: 5000 };
  const id = ctid;
  wire.fromClient('', { ctid: id, flags: 0x02, seq: c.seq - 1 });
  wire.fromServer('', { ctid: id, packetFlags: 0x10, flags: 0x12, seq: s.seq - 1, ack: c.seq });
  wire.fromClient('', { ctid: id, ...c });
  return {
    client: (octets, more = {}) => {
      const data = Buffer.from(octets);
      wire.fromClient(data, { ctid: id, ...c, ...more });
      c.seq += data.length;
    },
    server: (octets, more = {}) => {
      wire.fromServer(octets, { ctid: id, packetFlags: 0x10, seq: s.seq, ack: c.seq, ...more });
      s.seq += octets.length;
      c.ack = s.seq;
    },
  };
}

export interface Given {
  readonly sessionId?: Uint8Array;
  readonly ticket?: Uint8Array;
  readonly file?: string;
}

/** A whole handshake up to the client's question; what the server hands out is given. */
export function full(
  wire: Wire,
  { sessionId = Buffer.alloc(0), ticket, file = GENUINE }: Given,
  confirms = true,
): void {
  const flow = next(wire);
  flow.client(tls.clientHello({ name: HOST, ticket: Buffer.alloc(0) }));
  flow.server(
    handshake(
      tls.serverHello({ sessionId, ticket: ticket !== undefined }),
      tls.certificateMessage(file),
      tls.serverHelloDone,
    ),
  );
  flow.client(tls.clientFinish);
  flow.server(Buffer.concat([...(ticket === undefined ? [] : [handshake(tls.newSessionTicket(ticket))]), finish]));
  if (confirms) flow.client(tls.applicationData);
}

/** An abbreviated handshake with what the client offers; its verdict. */
export function resume(wire: Wire, offer: Given, echo = offer.sessionId ?? Buffer.alloc(32, 7), fresh?: Uint8Array) {
  const flow = next(wire);
  flow.client(tls.clientHello({ name: HOST, ...offer }));
  const renewed = fresh === undefined ? [] : [tls.newSessionTicket(fresh)];
  flow.server(
    Buffer.concat([handshake(tls.serverHello({ sessionId: echo, ticket: fresh !== undefined }), ...renewed), finish]),
  );
  flow.client(finish);
  return wire.verdicts.at(-1)!;
}
