import { describe, expect, it } from 'vitest';

import { SessionBinding } from '../../src/judge/session-binding.ts';
import { SessionMemory } from '../../src/judge/sessions.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { ACCEPT, bank, bankWith, FORGED, GENUINE, HOST, opened, PENDING } from '../support/flows.ts';
import { finish, full, handshake, next, resume } from '../support/handshakes.ts';
import { match, pin, pinset, range } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Wire } from '../support/wire.ts';

const ID = Buffer.alloc(32, 0x1d);
const TICKET = Buffer.from('a ticket of the genuine server');
const STOLEN = Buffer.from('a ticket of the attacker, which the client has from elsewhere');
/** A flow between these addresses, in hexadecimal. */
const of = (server: string, client = '0a010203') => {
  const [near, far] = [client, server].map((hex) => ({ address: new Uint8Array(Buffer.from(hex, 'hex')), port: 443 }));
  return { client: near!, server: far! };
};
const BOUND = { action: 'accept', reason: 'resumed-bound', evidence: 'resumed' };
const UNBOUND = { action: 'tls-alert', reason: 'resumed-unbound' };

describe('a session that was handed out in a flow which matched', () => {
  it('is bound: by its id', () => {
    const wire = opened();
    full(wire, { sessionId: ID });
    expect(resume(wire, { sessionId: ID })).toMatchObject(BOUND);
  });

  it('is bound: by its ticket, whatever id goes with it', () => {
    const wire = opened();
    full(wire, { ticket: TICKET });
    expect(resume(wire, { ticket: TICKET, sessionId: Buffer.alloc(32, 0xab) })).toMatchObject(BOUND);
    expect(resume(wire, { ticket: TICKET }, Buffer.alloc(0))).toMatchObject(BOUND);
  });

  it('may be used more than once, until its lifetime is over', () => {
    const wire = opened();
    full(wire, { ticket: TICKET });
    expect(resume(wire, { ticket: TICKET })).toMatchObject(BOUND);
    wire.now += 7_199e6;
    expect(resume(wire, { ticket: TICKET })).toMatchObject(BOUND);
    wire.now += 2e6;
    expect(resume(wire, { ticket: TICKET })).toMatchObject(UNBOUND);
  });

  it('renews its ticket in the abbreviated handshake', () => {
    const wire = opened();
    full(wire, { ticket: TICKET });
    expect(resume(wire, { ticket: TICKET }, undefined, Buffer.from('renewed'))).toMatchObject(BOUND);
    expect(resume(wire, { ticket: Buffer.from('renewed') })).toMatchObject(BOUND);
  });

  it('is forgotten with the configuration', () => {
    const wire = opened();
    full(wire, { ticket: TICKET });
    wire.reload({ pinsets: [bank()] });
    expect(resume(wire, { ticket: TICKET })).toMatchObject(UNBOUND);
  });
});

describe('a session is not bound', () => {
  it('that an earlier configuration judged, and the client takes under this one', () => {
    const wire = opened();
    const flow = next(wire);
    flow.client(tls.clientHello({ name: HOST, ticket: Buffer.alloc(0) }));
    flow.server(handshake(tls.serverHello({ ticket: true }), tls.certificateMessage(GENUINE), tls.serverHelloDone));
    wire.reload({ pinsets: [bank()] });
    flow.client(tls.clientFinish);
    flow.server(Buffer.concat([handshake(tls.newSessionTicket(TICKET)), finish]));
    flow.client(tls.applicationData);
    expect(resume(wire, { ticket: TICKET })).toMatchObject(UNBOUND);
  });

  it('that nobody saw handed out', () => {
    const wire = opened();
    expect(resume(wire, { ticket: STOLEN })).toMatchObject(UNBOUND);
    expect(resume(wire, { sessionId: ID })).toMatchObject(UNBOUND);
  });

  it('that was handed out in a flow which only reported', () => {
    const wire = opened({ pinsets: [bank({ mode: 'report-only' })] });
    full(wire, { ticket: TICKET });
    expect(resume(wire, { ticket: TICKET })).toMatchObject({ action: 'accept', reason: 'resumed-unbound' });
  });

  it('that another server handed out, or under another pinset, or too long ago', () => {
    const memory = new SessionMemory(2);
    const [here, there] = [of('c0000201'), of('c0000202')];
    memory.remember(here, TICKET, ['a', 'b'], ALWAYS);
    expect(memory.bound(here, TICKET, ['a'], at(1000)) !== undefined).toBe(true);
    expect(memory.bound(here, TICKET, ['a', 'b'], at(1000)) !== undefined).toBe(true);
    expect(memory.bound(there, TICKET, ['a'], at(1000)) !== undefined).toBe(false);
    expect(memory.bound(here, TICKET, ['a', 'c'], at(1000)) !== undefined).toBe(false);
    expect(memory.bound(here, STOLEN, ['a'], at(1000)) !== undefined).toBe(false);
    expect(memory.bound(here, TICKET, ['a'], at(1001)) !== undefined).toBe(false);
  });

  it('that another client was given, or one of another network of IPv6', () => {
    const memory = new SessionMemory(3);
    memory.remember(of('c0000201'), TICKET, ['a'], ALWAYS);
    expect(memory.bound(of('c0000201', '0a010204'), TICKET, ['a'], at(1))).toBeUndefined();
    const [server, network] = ['20010db8'.padEnd(32, '1'), '20010db800000001'];
    memory.remember(of(server, network + '1'.repeat(16)), TICKET, ['a'], ALWAYS);
    expect(memory.bound(of(server, network + '2'.repeat(16)), TICKET, ['a'], at(1))).toBeDefined();
    expect(memory.bound(of(server, '20010db800000002' + '1'.repeat(16)), TICKET, ['a'], at(1))).toBeUndefined();
  });

  it('that was used least recently, once there are more than are remembered', () => {
    const memory = new SessionMemory(2);
    const server = of('c0000201');
    const credential = (n: number) => Uint8Array.of(n);
    for (const n of [1, 2]) memory.remember(server, credential(n), ['a'], ALWAYS);
    expect(memory.bound(server, credential(1), ['a'], at(1)) !== undefined).toBe(true);
    memory.remember(server, credential(3), ['a'], ALWAYS);
    expect([1, 2, 3].map((n) => memory.bound(server, credential(n), ['a'], at(1)) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('but one that another gateway has told of is known here, is no news, and does not take the place of an own one', () => {
    const [there, memory] = [new SessionMemory(4), new SessionMemory(2)];
    const server = of('c0000201');
    const credential = (n: number) => Uint8Array.of(n);
    for (const n of [1, 2]) there.remember(server, credential(n), ['a'], ALWAYS);
    memory.remember(server, credential(2), ['b'], ALWAYS);
    expect(memory.takeNews(0).map(({ pinsets }) => pinsets)).toEqual([['b']]);
    memory.restore(there.takeNews(0), 0);
    expect(memory.takeNews(0)).toEqual([]);
    expect(memory.bound(server, credential(1), ['a'], at(1))).toBeDefined();
    expect(memory.bound(server, credential(2), ['b'], at(1))).toBeDefined();
    expect(there.takeNews(0)).toEqual([]);
    for (const n of [3, 3, 4]) there.remember(server, credential(n), ['a'], ALWAYS);
    expect(there.takeNews(0)).toHaveLength(2);
    memory.restore(there.keep(0), 0);
    expect(memory.keep(0)).toHaveLength(2);
  });

  it('by an id that the server does not echo', () => {
    const wire = opened();
    full(wire, { sessionId: ID });
    expect(resume(wire, { sessionId: ID }, Buffer.alloc(32, 0xcc))).toMatchObject({
      action: 'tls-alert',
      reason: 'no-certificate',
    });
  });

  it('by an id, where the client offers a ticket that is not', () => {
    const wire = opened();
    full(wire, { sessionId: ID });
    expect(resume(wire, { sessionId: ID, ticket: STOLEN })).toMatchObject(UNBOUND);
  });
});

describe('what somebody on the path puts in the place of an id or a ticket', () => {
  it('is not remembered: the client refuses the Finished that covers it', () => {
    for (const given of [{ sessionId: ID }, { ticket: STOLEN }]) {
      const wire = opened();
      full(wire, given, false);
      const flow = next(wire);
      flow.client(tls.clientHello(HOST));
      expect(resume(wire, given)).toMatchObject(UNBOUND);
    }
  });

  it('nor where it dies on its way and the genuine one follows', () => {
    const wire = opened();
    const flow = next(wire);
    flow.client(tls.clientHello({ name: HOST, ticket: Buffer.alloc(0) }));
    const flight = handshake(tls.serverHello({ ticket: true }), tls.certificateMessage(GENUINE), tls.serverHelloDone);
    flow.server(flight);
    flow.client(tls.clientFinish);
    const at = 5000 + flight.length;
    const [forged, genuine] = [STOLEN, Buffer.alloc(STOLEN.length, 0x60)].map((ticket) =>
      Buffer.concat([handshake(tls.newSessionTicket(ticket)), finish]),
    ) as [Buffer, Buffer];
    flow.server(forged, { seq: at, lost: true });
    flow.server(genuine, { seq: at });
    flow.client(tls.applicationData);
    expect(resume(wire, { ticket: STOLEN })).toMatchObject(UNBOUND);
  });
});

describe('a client that has the server’s Finished, and does not believe it', () => {
  const flight = handshake(tls.serverHello({ ticket: true }), tls.certificateMessage(GENUINE), tls.serverHelloDone);
  const given = Buffer.concat([handshake(tls.newSessionTicket(STOLEN)), finish]);

  /** Up to where it has what somebody on the path has put there. */
  function misled(wire: Wire): ReturnType<typeof next> {
    const flow = next(wire);
    flow.client(tls.clientHello({ name: HOST, ticket: Buffer.alloc(0) }));
    flow.server(flight);
    flow.client(tls.clientFinish);
    flow.server(given);
    return flow;
  }

  it.each([
    ['acknowledges it', ''],
    ['sends an alert', tls.record(21, Buffer.alloc(24, 0xa1))],
  ] as const)('%s: its session is not bound', (_, says) => {
    const wire = opened();
    misled(wire).client(says);
    expect(resume(wire, { ticket: STOLEN })).toMatchObject(UNBOUND);
  });

  it('ends the connection: neither is it then', () => {
    const wire = opened();
    misled(wire).client('', { flags: 0x11 });
    expect(resume(wire, { ticket: STOLEN })).toMatchObject(UNBOUND);
  });

  it('or has sent data ahead of it: neither is it then, wherever that record ends', () => {
    const wire = opened();
    const flow = next(wire);
    flow.client(tls.clientHello({ name: HOST, ticket: Buffer.alloc(0) }));
    flow.server(flight);
    flow.client(Buffer.concat([tls.clientFinish, tls.applicationData.subarray(0, 7)]));
    flow.server(given);
    flow.client(tls.applicationData.subarray(7));
    expect(resume(wire, { ticket: STOLEN })).toMatchObject(UNBOUND);
  });

  it('nor where the server’s comes ahead of the client’s own', () => {
    const wire = opened();
    const flow = next(wire);
    flow.client(tls.clientHello({ name: HOST, ticket: Buffer.alloc(0) }));
    flow.server(flight);
    flow.server(given);
    flow.client(Buffer.concat([tls.clientFinish, tls.applicationData]));
    expect(resume(wire, { ticket: STOLEN })).toMatchObject(UNBOUND);
  });
});

describe('the accept mark', () => {
  /** The one connection of the wire itself, whose mark is looked at. */
  function accepted(hello: object, server: tls.ServerHelloFields): Wire {
    const wire = opened();
    wire.fromClient(tls.clientHello({ name: HOST, ...hello }));
    wire.fromServer(handshake(tls.serverHello(server), tls.certificateMessage(GENUINE), tls.serverHelloDone));
    wire.fromClient(tls.clientFinish);
    return wire;
  }

  it('waits for nothing where the server hands out nothing', () => {
    expect(accepted({}, { sessionId: Buffer.alloc(0) }).connmark).toBe(ACCEPT);
  });

  it('waits, where it hands out a session, until the client goes on with what it believes', () => {
    for (const fields of [{ ticket: true, sessionId: Buffer.alloc(0) }, { sessionId: ID }]) {
      const wire = accepted({ ticket: Buffer.alloc(0) }, fields);
      expect(wire.connmark).toBe(PENDING);
      const before = wire.serverSeqSeen;
      wire.fromServer(Buffer.concat([handshake(tls.newSessionTicket(TICKET)), finish]));
      wire.fromClient('', { ack: before });
      expect(wire.connmark).toBe(PENDING);
      wire.fromClient('');
      expect(wire.connmark).toBe(PENDING);
      wire.fromClient(tls.applicationData);
      expect(wire.connmark).toBe(ACCEPT);
      wire.finish();
    }
  });

  it('waits no longer than for as many octets as a handshake has', () => {
    const wire = accepted({}, { sessionId: ID });
    wire.fromServer(finish);
    for (let i = 0; i < 30; i++) {
      wire.fromServer(tls.record(23, Buffer.alloc(10_000)));
      wire.fromClient('');
    }
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.engine.flows).toBe(1);
  });

  describe('waits no longer than the client has anything to say', () => {
    const [fin, rst] = [TCP_FLAG.fin | TCP_FLAG.ack, TCP_FLAG.rst | TCP_FLAG.ack];
    const handedOut = () => {
      const wire = accepted({}, { sessionId: ID });
      wire.fromServer(finish);
      wire.fromClient('');
      return wire;
    };

    it('until it has finished, whoever began', () => {
      const [byClient, byServer] = [handedOut(), handedOut()];
      byClient.fromClient('', { flags: fin });
      byServer.fromServer('', { flags: fin });
      byServer.fromClient('', { ack: seqAdd(byServer.serverSeqSeen, 1) });
      expect(byServer.connmark).toBe(PENDING);
      byServer.fromClient('', { flags: fin });
      for (const { connmark, engine } of [byClient, byServer]) {
        expect(connmark).toBe(ACCEPT);
        expect(engine.bufferedBytes).toBe(0);
      }
    });

    it('where something of it was lost, until both ends have finished', () => {
      const wire = handedOut();
      wire.fromClient('', { flags: fin, seq: seqAdd(wire.clientSeq, 100) });
      wire.fromServer('', { flags: fin });
      expect(wire.connmark).toBe(PENDING);
      wire.fromClient('', { ack: seqAdd(wire.serverSeqSeen, 1) });
      expect(wire.connmark).toBe(ACCEPT);
    });

    it('until it resets, and not until somebody resets in the server’s name', () => {
      const wire = handedOut();
      wire.fromServer('', { flags: rst });
      wire.fromClient('');
      expect(wire.connmark).toBe(PENDING);
      wire.fromClient('', { flags: TCP_FLAG.rst, ack: 0 });
      expect(wire.connmark).toBe(ACCEPT);
    });

    it.each(['resets', 'finishes'])('nor until somebody %s in its own name, from the server’s side', (how) => {
      const wire = handedOut();
      const flags = how === 'resets' ? rst : fin;
      expect(wire.fromClient('', { flags, inIfindex: 3 }).verdict).toBe('drop');
      wire.fromServer('', { flags: fin });
      wire.fromClient('');
      expect(wire.connmark).toBe(PENDING);
      wire.fromClient(tls.applicationData);
      expect(resume(wire, { sessionId: ID })).toMatchObject(BOUND);
    });

    it('however often one end finishes', () => {
      const wire = handedOut();
      const seq = seqAdd(wire.clientSeq, tls.applicationData.length);
      for (let time = 0; time < 3; time++) wire.fromClient('', { flags: fin, seq });
      expect(wire.connmark).toBe(PENDING);
      // What was lost ahead of it comes, and shows what it believes.
      wire.fromClient(tls.applicationData);
      expect(wire.connmark).toBe(ACCEPT);
      expect(resume(wire, { sessionId: ID })).toMatchObject(BOUND);
    });

    it('but never ahead of all that the decision rests on', () => {
      const wire = opened();
      wire.fromClient(tls.clientHello({ name: HOST }));
      const before = wire.serverSeqSeen;
      wire.fromServer(
        handshake(tls.serverHello({ sessionId: ID }), tls.certificateMessage(GENUINE), tls.serverHelloDone),
      );
      wire.fromServer('', { flags: fin });
      wire.fromClient('', { flags: fin, ack: before });
      expect(wire.connmark).toBe(PENDING);
      wire.fromClient('', { flags: rst, ack: before });
      expect(wire.connmark).toBe(PENDING);
    });
  });

  it('is not kept from coming by packets out of order, beyond any window', () => {
    const wire = accepted({}, { sessionId: ID });
    expect(wire.fromServer('x', { seq: seqAdd(wire.serverSeq, 200_000) }).verdict).toBe('accept');
    wire.fromClient(tls.applicationData);
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe('several pinsets', () => {
  const address = pinset(1, { match: match({ addresses: [range('198.51.100.7')] }), pins: bank().pins });

  it('have to be satisfied each by what the session was handed out under', () => {
    const wire = opened({ pinsets: [bank(), address] });
    full(wire, { ticket: TICKET });
    expect(resume(wire, { ticket: TICKET })).toMatchObject(BOUND);
  });

  it('of two names: what was handed out under the one is not bound for the other', () => {
    const other = 'other.bank.example';
    const wire = opened({ pinsets: [bank(), pinset(1, { match: match({ hosts: [other] }), pins: bank().pins })] });
    full(wire, { ticket: TICKET });
    const flow = next(wire);
    flow.client(tls.clientHello({ name: other, ticket: TICKET, sessionId: ID }));
    flow.server(Buffer.concat([handshake(tls.serverHello({ sessionId: ID })), finish]));
    expect(wire.verdicts.at(-1)).toMatchObject({ ...UNBOUND, pinset: 'pinset-1' });
    expect(resume(wire, { ticket: TICKET })).toMatchObject(BOUND);
  });

  it('of which one only reports do not keep the other from being bound', () => {
    const reporting = { ...address, mode: 'report-only' as const, pins: [pin('cert-sha256', 'aa'.repeat(32))] };
    const wire = opened({ pinsets: [bank(), reporting] });
    full(wire, { ticket: TICKET });
    expect(resume(wire, { ticket: TICKET })).toMatchObject({
      action: 'accept',
      reason: 'resumed-bound',
      pinset: 'pinset-0',
    });
  });
});

it('of what one handshake hands out four are kept, and nothing that is empty', () => {
  const binding = new SessionBinding();
  const tickets = [0, 1, 2, 3, 4, 5].map((n) => Buffer.alloc(n, n));
  for (const ticket of tickets) binding.onTicket(0, ticket);
  binding.begin(new Uint8Array(0), true, false);
  expect(binding.onBelief()).toEqual([]);
  binding.onDelivered(false);
  expect(binding.onBelief().map(({ octets }) => octets.length)).toEqual([1, 2, 3, 4]);
  expect(binding.onBelief()).toEqual([]);
});

it('a forged flight binds nothing', () => {
  const wire = opened({ pinsets: [bankWith({})] });
  full(wire, { ticket: STOLEN, file: FORGED });
  expect(resume(wire, { ticket: STOLEN })).toMatchObject(UNBOUND);
});

/** For a millisecond, whatever the date. */
const ALWAYS = { until: 1000, dateMs: Infinity };
const at = (now: number) => ({ now, dateMs: 0 });

describe('what is handed out in one flow', () => {
  const NONE = new Uint8Array(0);
  const told = (binding: SessionBinding) => binding.onBelief().map(({ lifetimeSeconds }) => lifetimeSeconds);

  it('lasts as long as the server says, and a day at the most, or where it does not say', () => {
    const binding = new SessionBinding();
    for (const seconds of [0, 7 * 86_400, 60]) binding.onTicket(seconds, TICKET);
    binding.begin(NONE, false, false);
    expect([binding.isAwaited, told(binding)]).toEqual([true, []]);
    binding.onDelivered(false);
    expect(binding.isAwaited).toBe(true);
    expect(told(binding)).toEqual([86_400, 86_400, 60]);
    expect([binding.isAwaited, told(binding)]).toEqual([false, []]);
  });

  it('is waited for where there is any, or will be: an id that is taken up again is none', () => {
    const awaits = (...how: Parameters<SessionBinding['begin']>) => {
      const binding = new SessionBinding();
      binding.begin(...how);
      return binding.isAwaited;
    };
    expect(awaits(NONE, false, false)).toBe(false);
    expect(awaits(NONE, true, false)).toBe(true);
    expect(awaits(ID, false, false)).toBe(true);
    expect(awaits(ID, false, true)).toBe(false);
  });

  it('counts no more once it was given up', () => {
    const binding = new SessionBinding();
    binding.giveUp();
    binding.onTicket(60, TICKET);
    binding.begin(NONE, true, false);
    binding.onDelivered(false);
    expect(told(binding)).toEqual([]);
  });
});
