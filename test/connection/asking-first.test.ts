/**
 * A server with room for few connections takes a client's once its handshake is acknowledged, and has none left for the
 * probe that this client then waits for. So where a server may be asked, the client's first packets wait until it is.
 */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { ProbeEnds } from '../../src/judge/ports.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import type { Situations } from '../../src/pins/policy.ts';
import { KeyLogStore } from '../../src/source/key-log-store.ts';
import { GENUINE, HOST } from '../support/flows.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { record } from '../support/recorded.ts';
import * as tls from '../support/tls-bytes.ts';
import { PROBE_DEFAULTS } from '../../src/pins/probe.ts';
import { Asked, FAILED, flights, genuine, genuineDer, pinned, shown } from '../support/tls13-flows.ts';
import { Wire, type WireOptions } from '../support/wire.ts';

const { ack, psh, fin, rst } = TCP_FLAG;

let hello: Buffer;
let server: Buffer;
beforeAll(async () => {
  ({ hello, server } = flights(await record({ identity: genuine })));
});

let prober: Asked;
beforeEach(() => {
  prober = new Asked();
  prober.isAtOnce = false;
});

const asked = (situations: Partial<Situations> = {}, more = {}) => pinned({ tls13: 'probe', ...situations }, more);

function open(situations: Partial<Situations> = {}, options: WireOptions = {}, more: object = {}): Wire {
  const wire = new Wire({ ...asked(situations), ...more }, { prober, ...options });
  return wire.open();
}

/** What arrived behind the SYN. */
const arrived = (wire: Wire) => wire.atServer.flags.slice(1);

describe('the acknowledgment of a client whose server may be asked, and its hello', () => {
  it('wait until the server has a connection for the probe, then go in order', () => {
    const wire = open();
    wire.fromClient(hello);
    expect([arrived(wire), prober.requests.length]).toEqual([[], 1]);
    prober.connected[0]!();
    expect(arrived(wire)).toEqual([ack, psh | ack]);
    expect(wire.atServer.stream).toEqual(hello);
  });

  it('whose flight comes ahead of the answer waits for it, as any does', () => {
    const wire = open();
    wire.fromClient(hello);
    prober.connected[0]!();
    wire.fromServer(server);
    expect(wire.atClient.stream).toHaveLength(0);
    prober.answer(shown(genuineDer));
    expect(wire.atClient.stream).toEqual(server);
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'probe-match' }]);
  });

  it.each([
    ['an answer from memory', () => shown(genuineDer, { fromCache: true })],
    ['a failure, which denies only what the server then chooses', () => FAILED],
  ])('go with %s', (_, answer) => {
    const wire = open();
    wire.fromClient(hello);
    prober.answer(answer());
    expect(arrived(wire)).toEqual([ack, psh | ack]);
    expect(wire.verdicts).toEqual([]);
  });

  it('go after the time that anything is held, whoever never answers', () => {
    const wire = open();
    wire.fromClient(hello);
    wire.wait(2_999);
    expect(arrived(wire)).toEqual([]);
    wire.wait(2);
    expect(arrived(wire)).toEqual([ack, psh | ack]);
  });

  it('wait in whatever segments the hello comes', () => {
    const wire = open();
    wire.fromClient(hello.subarray(0, 100));
    wire.fromClient(hello.subarray(100));
    expect(arrived(wire)).toEqual([]);
    prober.connected[0]!();
    expect(wire.atServer.stream).toEqual(hello);
  });

  it('are not outrun by copies, nor by an end', () => {
    const wire = open();
    wire.fromClient('', { seq: wire.clientSeq });
    wire.fromClient(hello);
    wire.fromClient('', { seq: wire.clientSeq });
    wire.fromClient(hello, { seq: wire.clientSeq - hello.length });
    wire.fromClient('', { flags: fin | ack });
    expect(arrived(wire)).toEqual([]);
    prober.connected[0]!();
    expect(arrived(wire)[0]).toBe(ack);
    expect(wire.atServer.stream).toEqual(hello);
  });

  it('go ahead of a reset', () => {
    const wire = open();
    wire.fromClient('', { flags: rst | ack });
    expect(arrived(wire)).toEqual([ack, rst | ack]);
  });

  it('of another host, or of a version whose certificate goes by, go at once', () => {
    for (const name of ['other.example', HOST]) {
      const wire = open();
      const says = tls.clientHello({ name });
      wire.fromClient(says);
      expect([arrived(wire), prober.requests]).toEqual([[ack, psh | ack], []]);
      expect(wire.atServer.stream).toEqual(says);
    }
  });

  it('wait under another configuration as well', () => {
    const wire = open();
    wire.fromClient(hello);
    wire.reload(asked());
    expect([arrived(wire), prober.requests.length]).toEqual([[], 1]);
    prober.connected[0]!();
    expect(wire.atServer.stream).toEqual(hello);
  });

  it('end with a denial as any others do', () => {
    const wire = open({}, {}, asked({}, { onMismatch: { action: 'reset', connmark: null } }));
    wire.fromClient(hello.subarray(0, 50));
    // What no client says: the copy differs.
    wire.fromClient(Buffer.alloc(50, 1), { seq: wire.clientSeq - 50 });
    expect(wire.verdicts).toMatchObject([{ reason: 'overlap-conflict' }]);
    expect(wire.atServer.stream).toHaveLength(0);
    wire.finish();
  });

  it('are answered when the engine stops', () => {
    const wire = open();
    wire.fromClient(hello);
    expect(wire.held).toBe(2);
    wire.finish();
  });
});

describe('a client that says nothing at once', () => {
  const next = (wire: Wire) => {
    wire.engine.finish();
    wire.atServer.flags.length = 0;
    return wire.open();
  };

  it('waits a fifth of a second', () => {
    const wire = open();
    wire.wait(199);
    expect(arrived(wire)).toEqual([]);
    wire.wait(1);
    expect(arrived(wire)).toEqual([ack]);
    expect(arrived(next(wire))).toEqual([]);
  });

  it('waits for a second where clients were heard to speak first: some begin to load their TLS only then', () => {
    const wire = open();
    wire.fromClient(hello);
    prober.connected[0]!();
    next(wire);
    wire.wait(999);
    expect(arrived(wire)).toEqual([]);
    wire.fromClient(hello);
    expect(arrived(wire)).toEqual([]);
    prober.connected[1]!();
    expect(arrived(wire)).toEqual([ack, psh | ack]);
  });

  it('does not wait, for a minute, at a server that was heard to speak first', () => {
    const wire = open();
    wire.wait(200);
    wire.fromServer('220 mail.example ESMTP\r\n');
    expect(wire.atClient.stream.toString()).toMatch(/^220/);
    expect(arrived(next(wire))).toEqual([ack]);
    wire.wait(60_000);
    expect(arrived(next(wire))).toEqual([]);
  });

  it('has its hello wait all the same', () => {
    const wire = open();
    wire.wait(200);
    wire.fromClient(hello);
    expect(wire.atServer.stream).toHaveLength(0);
    prober.connected[0]!();
    expect(wire.atServer.stream).toEqual(hello);
  });

  it('or not TLS does not wait', () => {
    const wire = open();
    wire.fromClient('CONNECT www.example:443 HTTP/1.1\r\n\r\n');
    expect(arrived(wire)).toEqual([ack, psh | ack]);
  });
});

describe('nobody waits', () => {
  it('where a key log, or nobody, is asked first', () => {
    for (const tls13 of ['keylog', 'keylog-else-probe', 'deny', 'accept'] as const) {
      expect(arrived(open({ tls13 }, { keylog: new KeyLogStore() }))).toEqual([ack]);
    }
    expect(arrived(new Wire(asked()).open())).toEqual([ack]);
  });

  it('where no more packets may', () => {
    const wire = open({}, {}, { limits: { ...LIMIT_DEFAULTS, heldPacketsQueue: 1 } });
    wire.fromClient(hello);
    expect(arrived(wire)).toEqual([ack, psh | ack]);
    expect(wire.engine.counters.dropped).toBe(0);
  });

  it('for a certificate that the server shows in clear, as it did last time', () => {
    const wire = open();
    wire.fromClient(hello);
    prober.connected[0]!();
    wire.fromServer(tls.serverFlight(GENUINE));
    wire.engine.finish();
    wire.atServer.flags.length = 0;
    wire.open().fromClient(hello);
    expect(arrived(wire)).toEqual([ack, psh | ack]);
  });
});

describe('a SYN that has company', () => {
  const withDecoys = (situations: Partial<Situations> = {}) => ({
    ...asked(situations),
    probe: { ...PROBE_DEFAULTS, source: 'client', decoys: 2 } as const,
  });
  const going: (() => void)[] = [];
  const seen: ProbeEnds[] = [];
  const companion = () => {
    going.length = seen.length = 0;
    return Object.assign(prober, {
      accompany: (ends: ProbeEnds, go: () => void) => {
        seen.push(ends);
        going.push(go);
      },
    });
  };
  const begin = (wire: Wire) => wire.fromClient('', { flags: TCP_FLAG.syn });

  it('waits for its turn, and is told by its ends', () => {
    const wire = new Wire(withDecoys(), { prober: companion() });
    begin(wire);
    expect([wire.held, wire.engine.heldPackets, wire.atServer.flags]).toEqual([1, 1, []]);
    expect(seen).toMatchObject([{ client: { port: 51_514 }, server: { port: 443 }, synTraits: { hopLimit: 64 } }]);
    going[0]!();
    expect([wire.held, wire.engine.heldPackets, wire.atServer.flags]).toEqual([0, 0, [TCP_FLAG.syn]]);
    wire.finish();
  });

  it('that is repeated meanwhile goes, and has none a second time', () => {
    const wire = new Wire(withDecoys(), { prober: companion() });
    begin(wire);
    begin(wire);
    expect([wire.atServer.flags, seen.length]).toEqual([[TCP_FLAG.syn], 1]);
    going[0]!();
    wire.finish();
  });

  it('has its hello wait as any other', () => {
    const made = companion();
    made.accompany = (_, go) => go();
    const wire = new Wire(withDecoys(), { prober: made }).open();
    wire.fromClient(hello);
    expect(arrived(wire)).toEqual([]);
    prober.connected[0]!();
    expect(wire.atServer.stream).toEqual(hello);
  });

  it.each([
    ['no decoys are wanted', asked()],
    ['nobody is asked first', withDecoys({ tls13: 'deny' })],
    ['no more packets may wait', { ...withDecoys(), limits: { ...LIMIT_DEFAULTS, heldPacketsQueue: 0 } }],
  ])('has none where %s', (_, fields) => {
    const wire = new Wire(fields, { prober: companion() });
    begin(wire);
    expect([wire.atServer.flags, seen.length]).toEqual([[TCP_FLAG.syn], 0]);
  });
});
