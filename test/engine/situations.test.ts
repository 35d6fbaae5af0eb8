import { describe, expect, it } from 'vitest';

import type { Situations } from '../../src/pins/policy.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { certificate } from '../support/certificates.ts';
import {
  ACCEPT,
  bank,
  bankWith,
  DENY,
  FORGED,
  forgedFlight,
  GENUINE,
  genuineFlight,
  genuinePin,
  hasForged,
  HOST,
  opened,
  PENDING,
} from '../support/flows.ts';
import { match, pin, PINNED, pinset, policy, range, UNPINNED } from '../support/policy.ts';
import { ManyWires } from '../support/many-wires.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const { syn, ack, rst } = TCP_FLAG;
const handshake = (...messages: readonly Uint8Array[]) => tls.record(22, Buffer.concat(messages));
const rawKey = tls.handshake(11, tls.vector24(Buffer.from('a key of somebody else')));

/** What makes each situation arise, once the connection is open. */
const arises: Partial<Record<keyof Situations, { reason: string; play: (wire: Wire) => void }>> = {
  tls13: {
    reason: 'no-certificate',
    play: (wire) => {
      wire.fromClient(tls.clientHello({ name: HOST, supportedVersions: [0x0304] }));
      wire.fromServer(handshake(tls.serverHello13));
    },
  },
  earlyData: {
    reason: 'no-certificate',
    play: (wire) =>
      void wire.fromClient(tls.clientHello({ name: HOST, supportedVersions: [0x0304], earlyData: true, psk: true })),
  },
  ech: { reason: 'ech', play: (wire) => void wire.fromClient(tls.clientHello({ name: HOST, ech: true })) },
  rawPublicKey: {
    reason: 'raw-public-key',
    play: (wire) => {
      wire.fromClient(tls.clientHello({ name: HOST, rawPublicKey: true }));
      wire.fromServer(handshake(tls.serverHello({ rawPublicKey: true }), rawKey, tls.serverHelloDone));
    },
  },
  anonymous: {
    reason: 'anonymous',
    play: (wire) => {
      wire.fromClient(tls.clientHello({ name: HOST, suites: [0x0034] }));
      wire.fromServer(handshake(tls.serverHello(0x0034)));
    },
  },
  psk: {
    reason: 'anonymous',
    play: (wire) => {
      wire.fromClient(tls.clientHello({ name: HOST, suites: [0x008c] }));
      wire.fromServer(handshake(tls.serverHello(0x008c)));
    },
  },
  parseError: {
    reason: 'parse-error',
    play: (wire) => {
      wire.fromClient(tls.clientHello(HOST));
      wire.fromServer(handshake(tls.serverHello(), tls.serverHello()));
    },
  },
  incomplete: {
    reason: 'incomplete',
    play: (wire) => {
      wire.fromClient(tls.clientHello(HOST));
      wire.wait(10_001);
    },
  },
  resumed: {
    reason: 'resumed-unbound',
    play: (wire) => {
      wire.fromClient(tls.clientHello({ name: HOST, sessionId: Buffer.alloc(32, 7) }));
      const echo = tls.serverHello({ sessionId: Buffer.alloc(32, 7) });
      wire.fromServer(Buffer.concat([handshake(echo), tls.changeCipherSpec, tls.finished]));
    },
  },
};

describe.each(Object.entries(arises))('%s of a pinned flow', (key, { reason, play }) => {
  it('denies where it says so', () => {
    const wire = opened({ pinsets: [bankWith({ [key]: 'deny' })] });
    play(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason, pinset: 'pinset-0' }]);
    wire.fromServer('');
    wire.fromClient('');
    expect(wire.connmark).toBe(DENY);
  });

  it('is only reported in report-only, with what enforcement had done', () => {
    const wire = opened({ pinsets: [{ ...bankWith({ [key]: 'deny' }), mode: 'report-only' }] });
    play(wire);
    // Where the matter stays open the certificate ends it, and takes nothing back.
    if (wire.verdicts.length === 0) wire.fromServer(genuineFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason, would: 'tls-alert', mode: 'report-only' }]);
  });

  // What nobody has seen the end of has no such value.
  if (key === 'incomplete') return;
  it('accepts where it says so, and the record names the setting', () => {
    const wire = opened({ pinsets: [bankWith({ [key]: 'accept' })] });
    play(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason, pinset: 'pinset-0', allowedBy: key }]);
    wire.fromServer('');
    wire.fromClient('');
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe('incomplete of a pinned flow', () => {
  it('is no reason to accept it, whatever is configured', () => {
    const wire = opened({ pinsets: [bankWith({ incomplete: 'accept' })] });
    arises.incomplete!.play(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'incomplete', allowedBy: null }]);
  });
});

describe('the defaults of a pinned flow', () => {
  it('deny TLS 1.3, whose certificate is invisible', () => {
    const wire = opened();
    arises.tls13!.play(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-certificate' }]);
  });

  it('deny early data together with TLS 1.3, before it reaches the server', () => {
    const wire = opened();
    arises.earlyData!.play(wire);
    expect(wire.atServer.stream.length).toBe(0);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert' }]);
  });

  it('hold early data where TLS 1.3 would be accepted', () => {
    const wire = opened({ pinsets: [bankWith({ tls13: 'accept' })] });
    arises.earlyData!.play(wire);
    expect(wire.verdicts).toEqual([]);
  });

  it('go by the outer name where ECH is offered: in most hellos it is GREASE', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello({ name: HOST, ech: true }));
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });

  it('judge a raw public key by SPKI pins', () => {
    const spki = Buffer.from(certificate('leaf'));
    const answer = (key: Uint8Array) =>
      handshake(tls.serverHello({ rawPublicKey: true }), tls.handshake(11, tls.vector24(key)), tls.serverHelloDone);
    const wire = opened();
    wire.fromClient(tls.clientHello({ name: HOST, rawPublicKey: true }));
    wire.fromServer(answer(spki));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });

  it('accept resumption only of sessions that began under observation', () => {
    const wire = opened();
    arises.resumed!.play(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'resumed-unbound' }]);
  });

  it('deny a flight without a certificate', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(handshake(tls.serverHello(), tls.serverHelloDone));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-certificate' }]);
  });

  it('deny an abbreviated flight that resumes nothing the client offered', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(Buffer.concat([handshake(tls.serverHello()), tls.changeCipherSpec, tls.finished]));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-certificate' }]);
  });
});

describe('notTls', () => {
  const gopher = (wire: Wire) => void wire.fromClient('gopher please\r\n');

  it('is denied by default while a host pinset could still apply', () => {
    const wire = opened();
    gopher(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'not-tls', pinset: 'pinset-0' }]);
    expect(wire.atServer.stream.length).toBe(0);
  });

  it('names a pinset by which it is denied: one that enforces, of those for this port', () => {
    const hosts = (ports: [number, number][] = []) => match({ hosts: ['other.example'], ports });
    const pinsets = [
      pinset(0, { name: 'elsewhere', match: hosts([[25, 25]]) }),
      pinset(1, { name: 'reporting', mode: 'report-only', match: hosts() }),
      pinset(2, { name: 'enforcing', match: match({ hosts: [HOST] }) }),
    ];
    const wire = opened({ pinsets });
    gopher(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'not-tls', pinset: 'enforcing' }]);
    const reporting = opened({ pinsets: pinsets.slice(0, 2) });
    gopher(reporting);
    expect(reporting.verdicts).toMatchObject([{ action: 'accept', pinset: 'reporting', would: 'tls-alert' }]);
  });

  it('is accepted where `pinned` says so, and where no pinset could apply', () => {
    const accepting = opened({ pinned: { ...PINNED, notTls: 'accept' } });
    gopher(accepting);
    expect(accepting.connmark).toBe(ACCEPT);
    const elsewhere = opened({ pinsets: [bank({ match: match({ hosts: [HOST], ports: [[8443, 8443]] }) })] });
    gopher(elsewhere);
    expect(elsewhere.connmark).toBe(ACCEPT);
  });

  it('is denied where `unpinned` says so', () => {
    const wire = opened({ pinsets: [], unpinned: { ...UNPINNED, notTls: 'deny' } });
    gopher(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'not-tls' }]);
  });

  it('follows the address pinset of its server too', () => {
    const address = pinset(0, {
      match: match({ addresses: [range('198.51.100.0/24')] }),
      situations: { ...PINNED, notTls: 'accept' },
    });
    const wire = opened({ pinsets: [address] });
    gopher(wire);
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'not-tls', pinset: 'pinset-0' }]);
  });

  it('is never said by the server', () => {
    const wire = opened();
    wire.fromServer('\x00\x01\x02 no protocol of this world');
    expect(wire.events).toEqual([]);
    expect(wire.connmark).toBe(PENDING);
  });
});

describe('noSni', () => {
  it('leaves address pinsets in force', () => {
    const address = pinset(0, { match: match({ addresses: [range('198.51.100.7')] }), pins: [genuinePin] });
    for (const flight of [genuineFlight, forgedFlight]) {
      const wire = opened({ pinsets: [address] });
      wire.fromClient(tls.clientHello());
      wire.fromServer(flight);
      expect(wire.verdicts).toMatchObject([{ reason: flight === genuineFlight ? 'pin-match' : 'pin-mismatch' }]);
    }
  });

  it('accepts by default where only host pinsets are', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello());
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('denies on the ports of a host pinset that says so; an address is no name', () => {
    for (const name of [undefined, '198.51.100.7']) {
      const wire = opened({ pinsets: [bankWith({ noSni: 'deny' })] });
      wire.fromClient(tls.clientHello(name === undefined ? {} : { name }));
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-sni', pinset: 'pinset-0' }]);
    }
  });
});

describe('a name that can be read in more ways than one', () => {
  it("is a parse error where there are two: whose pinset would apply is anybody's guess", () => {
    const two = Buffer.concat(
      ['other.example', HOST].map((name) => Buffer.concat([Buffer.of(0), tls.vector16(Buffer.from(name))])),
    );
    const wire = opened();
    wire.fromClient(tls.clientHello({ extensions: [tls.extension(0, tls.vector16(two))] }));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'parse-error' }]);
  });

  it('counts as the pinned one where a lenient server may read that', () => {
    for (const name of ['www.bank.example\0.evil', '.www.bank.example', ' www.bank.example ', 'www.bank.example:443']) {
      const wire = opened();
      wire.fromClient(tls.clientHello({ name }));
      wire.fromServer(forgedFlight);
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch', pinset: 'pinset-0' }]);
    }
  });

  const oddNames = [
    '2001:db8::1',
    '198.51.100.7:443',
    'other.example:443',
    '',
    'other example',
    `${'a'.repeat(64)}.example`,
    'b\u00fccher.example',
    '*.example',
  ];

  it('denies nobody else’s server where no host is called that', () => {
    for (const name of oddNames) {
      const wire = opened();
      wire.fromClient(tls.clientHello({ name }));
      wire.fromServer(forgedFlight);
      expect(wire.verdicts.filter(({ action }) => action !== 'accept')).toEqual([]);
      expect(hasForged(wire)).toBe(true);
    }
  });

  it('takes nothing from the address', () => {
    const byAddress = bank({ match: match({ addresses: [range('198.51.100.7')] }) });
    for (const name of oddNames) {
      const wire = opened({ pinsets: [byAddress, pinset(1, { match: match({ hosts: ['www.shop.example'] }) })] });
      wire.fromClient(tls.clientHello({ name }));
      wire.fromServer(forgedFlight);
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch', pinset: 'pinset-0' }]);
    }
  });

  it('is the same name in upper case and with a final dot', () => {
    for (const name of ['WWW.Bank.EXAMPLE', 'www.bank.example.']) {
      const wire = opened();
      wire.fromClient(tls.clientHello(name));
      wire.fromServer(forgedFlight);
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
    }
  });
});

describe('midstream', () => {
  const strange = (fields = {}, connmark = 0) => {
    const wire = new Wire({ pinsets: [bank()], ...fields });
    wire.connmark = connmark;
    wire.atClient.start(wire.serverSeq);
    return wire;
  };

  it('denies by default where a pinset could apply: both ends are told that the connection is gone', () => {
    const wire = strange();
    wire.fromServer(forgedFlight);
    expect(wire.atClient.isReset).toBe(true);
    expect(wire.verdicts).toMatchObject([{ action: 'reset', reason: 'midstream' }]);
    wire.fromClient(tls.clientHello(HOST));
    expect(wire.atServer.flags.at(-1)).toBe(rst | ack);
    expect(wire.connmark).toBe(0);
  });

  it('has whoever goes on sending told by the other end, which has closed', () => {
    const wire = strange();
    const again = { seq: wire.clientSeq, ack: wire.serverSeq };
    for (const flags of [rst | ack, ack, rst | ack, ack]) {
      wire.fromClient(tls.clientHello(HOST), again);
      expect(wire.atServer.flags.at(-1)).toBe(flags);
    }
    expect(wire.verdicts).toHaveLength(1);
    // What is new is a reset at once; so is what the other end sends.
    wire.fromClient('more', { ...again, seq: again.seq + 1_000 });
    expect(wire.atServer.flags.at(-1)).toBe(rst | ack);
    wire.fromServer(forgedFlight);
    expect(wire.atClient.isReset).toBe(true);
    expect(wire.atServer.stream).toHaveLength(0);
  });

  it('lets by what acknowledges and brings nothing: its sender would never be told', () => {
    for (const connmark of [0, PENDING]) {
      const wire = strange({}, connmark);
      expect(wire.fromClient('')).toMatchObject({ verdict: 'accept', payload: undefined });
      expect(wire.connmark).toBe(connmark);
      expect(wire.verdicts).toEqual([]);
    }
  });

  it('accepts where it says so, or where nothing could apply', () => {
    for (const fields of [
      { pinned: { ...PINNED, midstream: 'accept' as const } },
      { pinsets: [bank({ match: match({ hosts: [HOST], ports: [[8443, 8443]] }) })] },
    ]) {
      const wire = strange(fields);
      expect(wire.fromServer(forgedFlight).verdict).toBe('accept');
      expect(wire.connmark).toBe(ACCEPT);
    }
  });

  it('is not asked of a connection that bears the mark of a decision', () => {
    const accepted = strange({}, ACCEPT);
    expect(accepted.fromServer('x')).toMatchObject({ verdict: 'accept', payload: undefined });
    const denied = strange({}, DENY);
    expect(denied.fromServer('x').verdict).toBe('drop');
    expect(denied.fromClient('x').verdict).toBe('drop');
  });

  it('denies a pending one, whatever it says: undecided never becomes accepted by forgetting', () => {
    const wire = strange({ pinned: { ...PINNED, midstream: 'accept' } }, PENDING);
    wire.fromServer(forgedFlight);
    expect(hasForged(wire)).toBe(false);
    expect(wire.connmark).toBe(PENDING);
  });

  it('looks only at the bits of its own', () => {
    const wire = strange({}, (0xfcffffff | 0) >>> 0);
    expect(wire.fromServer('x').payload).toBeDefined();
    expect(strange({}, (0xfdffffff | 0) >>> 0).fromServer('x').payload).toBeUndefined();
  });

  it('does not cut a super-packet short, nor answer a reset', () => {
    const wire = strange();
    expect(wire.fromServer(forgedFlight, { gso: true }).verdict).toBe('drop');
    expect(wire.fromServer('', { flags: rst })).toMatchObject({ verdict: 'accept', payload: undefined });
  });
});

describe('overload', () => {
  /** A table that is full of connections in the midst of their handshakes. */
  function full(fields = {}): Wire {
    const wire = new Wire({ pinsets: [bank()], limits: { ...LIMIT_DEFAULTS, flows: 2 }, ...fields });
    for (const ctid of [1, 2]) {
      wire.fromClient('', { flags: syn, ctid, seq: 100 });
      wire.fromServer('', { flags: syn | ack, ctid, seq: 500, ack: 101, packetFlags: 0x10 });
      wire.fromClient(tls.clientHello(HOST), { ctid, seq: 101, ack: 501 });
    }
    wire.connmark = 0;
    return wire;
  }

  it('denies a further connection that could be pinned: its SYN is dropped', () => {
    const wire = full();
    expect(wire.fromClient('', { flags: syn, ctid: 3 })).toMatchObject({ verdict: 'drop', connmark: undefined });
    expect(wire.engine.counters.limits.flows).toBe(1);
    expect(wire.engine.flows).toBe(2);
  });

  it('accepts it where it says so', () => {
    const wire = full({ pinned: { ...PINNED, overload: 'accept' } });
    expect(wire.fromClient('', { flags: syn, ctid: 3 }).verdict).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('gives up nobody who begins while there are settled connections, which are no more than remembered', () => {
    const wires = new ManyWires({ pinsets: [bank()], limits: { ...LIMIT_DEFAULTS, flows: 9 } });
    for (let client = 1; client <= 100; client += 2) {
      for (const each of [client, client + 1]) wires.open(each);
      for (const each of [client, client + 1]) wires.fromClient(each, tls.clientHello('www.other.example'));
      expect([client, wires.markOf(client), wires.markOf(client + 1)]).toEqual([client, ACCEPT, ACCEPT]);
      expect(wires.engine.flows).toBeLessThanOrEqual(9);
      wires.wait(1_000);
    }
    expect(wires.engine.counters.limits.flows).toBe(0);
  });

  it('gives up a connection that has not begun a handshake first, and never as if it were unpinned', () => {
    const wire = new Wire({ pinsets: [bank()], limits: { ...LIMIT_DEFAULTS, flows: 1 } }).open();
    wire.fromClient('', { flags: syn, ctid: 9, seq: 1 });
    expect(wire.engine.flows).toBe(1);
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(forgedFlight);
    expect(hasForged(wire)).toBe(false);
    expect(wire.connmark).toBe(PENDING);
  });
});

describe('minimum version', () => {
  it('denies what is older, and says nothing of the rest', () => {
    const strict = bankWith({ checks: { ...PINNED.checks, minVersion: 0x0303 } });
    for (const version of [0x0300, 0x0301, 0x0302, 0x0303]) {
      const wire = opened({ pinsets: [strict] });
      wire.fromClient(tls.clientHello(HOST));
      wire.fromServer(handshake(tls.serverHello({ version }), tls.certificateMessage(GENUINE), tls.serverHelloDone));
      expect(wire.verdicts).toMatchObject([{ reason: version < 0x0303 ? 'min-version' : 'pin-match' }]);
    }
  });

  it('is only reported where the pinset only reports, and stands in the record of what came after', () => {
    const strict = { ...bankWith({ checks: { ...PINNED.checks, minVersion: 0x0303 } }), mode: 'report-only' as const };
    const wire = opened({ pinsets: [strict] });
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(
      handshake(tls.serverHello({ version: 0x0301 }), tls.certificateMessage(GENUINE), tls.serverHelloDone),
    );
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'min-version', would: 'tls-alert' }]);
  });

  it('a version that nobody knows is a parse error', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(handshake(tls.serverHello({ version: 0x0399 })));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'parse-error' }]);
  });
});

describe('server octets before the ClientHello', () => {
  it.each([
    ['a HelloRequest', tls.record(22, tls.helloRequest)],
    ['warnings', Buffer.concat([tls.alert('warning', 112), tls.alert('warning', 0)])],
    ['half a record', tls.record(22, tls.helloRequest).subarray(0, 3)],
  ])('%s unpin nothing', (_what, octets) => {
    const wire = opened();
    wire.fromServer(octets);
    wire.fromClient('');
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient(tls.clientHello(HOST));
    const rest = octets.length === 3 ? tls.record(22, tls.helloRequest).subarray(3) : Buffer.alloc(0);
    wire.fromServer(Buffer.concat([rest, forgedFlight]));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
    expect(hasForged(wire)).toBe(false);
  });

  it.each([
    ['a whole flight', forgedFlight],
    ['an SSLv2 SERVER-HELLO', tls.ssl2ServerHello(certificate('forged'))],
    ['application data', tls.applicationData],
    ['a ChangeCipherSpec', tls.changeCipherSpec],
    ['words in clear', Buffer.from('220 mail.example\r\n')],
  ])('%s never unpins', (_what, octets) => {
    const wire = opened();
    wire.fromServer(octets);
    wire.fromClient('');
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(forgedFlight);
    wire.fromClient('');
    expect([ACCEPT].includes(wire.connmark)).toBe(false);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'parse-error' }]);
    expect(hasForged(wire)).toBe(false);
  });
});

describe('an address pinset and a host pinset', () => {
  const address = pinset(1, {
    name: 'address',
    match: match({ addresses: [range('198.51.100.7')] }),
    pins: [pin('cert-sha256', 'aa'.repeat(32))],
    onMismatch: { action: 'reset', connmark: null },
  });

  it('both have to pass; the worst verdict decides, and the other is told', () => {
    const wire = opened({ pinsets: [bank({ onMismatch: { action: 'tls-alert', connmark: null } }), address] });
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([
      {
        action: 'tls-alert',
        pinset: 'pinset-0',
        others: [{ pinset: 'address', reason: 'pin-mismatch', would: 'reset' }],
      },
    ]);
  });

  it('the name that the client chooses takes nothing from the address', () => {
    const wire = opened({ pinsets: [bank(), address] });
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(genuineFlight);
    expect(wire.verdicts).toMatchObject([
      {
        action: 'reset',
        pinset: 'address',
        reason: 'pin-mismatch',
        others: [{ pinset: 'pinset-0', reason: 'pin-match' }],
      },
    ]);
    const other = opened({ pinsets: [bank(), address] });
    other.fromClient(tls.clientHello('other.example'));
    other.fromServer(genuineFlight);
    expect(other.verdicts).toMatchObject([{ action: 'reset', pinset: 'address' }]);
  });

  it('one that only reports lifts nothing of the other', () => {
    const wire = opened({ pinsets: [bank({ mode: 'report-only' }), address] });
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(genuineFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'reset', pinset: 'address', mode: 'enforce' }]);
  });
});

it('a policy for nobody accepts and marks at the hello', () => {
  const wire = new Wire(policy()).open();
  wire.fromClient(tls.clientHello(HOST));
  expect(wire.connmark).toBe(ACCEPT);
});

it('the forged file is what it is said to be', () => {
  const wire = opened();
  wire.fromClient(tls.clientHello(HOST));
  wire.fromServer(tls.serverFlight(FORGED));
  expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
});

it('what comes before TLS and is longer than any of it is not understood, and nothing follows it', () => {
  const wire = opened({ pinsets: [bank()] });
  wire.fromServer('220 mail ESMTP\r\n');
  wire.fromClient(`EHLO ${'x'.repeat(40_000)}`);
  expect(wire.verdicts).toMatchObject([{ reason: 'limit', fault: 'starttls.too-long' }]);
  expect(wire.verdicts[0]!.action).not.toBe('accept');
});
