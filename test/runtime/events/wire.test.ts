import { describe, expect, it } from 'vitest';

import type { TlsSummary, VerdictEvent } from '../../../src/judge/events.ts';
import { EventPacker, EventUnpacker } from '../../../src/runtime/events/wire.ts';
import { tlsSummary, verdictEvent } from '../../support/verdict-event.ts';

const verdict = (certificates: readonly Uint8Array[], clientCertificates: readonly Uint8Array[] = []) =>
  verdictEvent({ tls: tlsSummary({ certificates, clientCertificates }) });
const certificate = (content: number, length = 100) => new Uint8Array(length).fill(content);

/** Both ends, with what goes between them copied as between threads. */
function wire() {
  const [packer, unpacker] = [new EventPacker(), new EventUnpacker()];
  let octets = 0;
  return {
    send(event: VerdictEvent) {
      const packed = structuredClone(packer.pack(event));
      const values = (packed as readonly unknown[]).flat(Infinity);
      octets = values.reduce<number>((sum, value) => sum + (value instanceof Uint8Array ? value.length : 0), 0);
      return unpacker.unpack(packed) as VerdictEvent;
    },
    /** Of certificates, in the last event. */
    get octets() {
      return octets;
    },
  };
}

describe('certificates between threads', () => {
  it('cross once, and are the same object from then on', () => {
    const { send } = wire();
    const [leaf, issuer] = [certificate(1), certificate(2)];
    const first = send(verdict([leaf, issuer]));
    expect(first.tls).toEqual(verdict([leaf, issuer]).tls);
    const second = send(verdict([issuer], [leaf]));
    expect(second.tls!.certificates[0]).toBe(first.tls!.certificates[1]);
    expect(second.tls!.clientCertificates[0]).toBe(first.tls!.certificates[0]);
  });

  it('are numbers the second time', () => {
    const between = wire();
    const leaf = certificate(1);
    between.send(verdict([leaf]));
    expect(between.octets).toBe(100);
    between.send(verdict([leaf]));
    expect(between.octets).toBe(0);
  });

  it('are never mistaken, however many there are, in one event or in many', () => {
    const { send } = wire();
    const known = Array.from({ length: 3000 }, (_, i) => Uint8Array.of(i >> 8, i));
    for (let at = 0; at < known.length; at += 7) {
      const chain = [known[at]!, known[0]!, ...known.slice(at, at + 5), known[at >> 1]!];
      expect(send(verdict(chain)).tls!.certificates).toEqual(chain);
    }
    expect(send(verdict([...known, ...known])).tls!.certificates).toEqual([...known, ...known]);
    expect(send(verdict(known.slice(0, 10))).tls!.certificates).toEqual(known.slice(0, 10));
  });

  it('that are very long are sent each time, and nobody keeps them', () => {
    const between = wire();
    const long = certificate(1, 5000);
    for (let i = 0; i < 3; i++) {
      expect(between.send(verdict([long])).tls!.certificates).toEqual([long]);
      expect(between.octets).toBe(5000);
    }
  });
});

it('what goes on after a decision crosses as the decision does', () => {
  const [packer, unpacker] = [new EventPacker(), new EventUnpacker()];
  const event = { kind: 'continued', verdict: verdict([certificate(1)]) } as const;
  expect(unpacker.unpack(structuredClone(packer.pack(event)))).toEqual(event);
  expect(packer.pack(event)).toMatchObject({ verdict: packer.pack(event.verdict) });
});

it('every field arrives as it was, and none that is not there', () => {
  const [packer, unpacker] = [new EventPacker(), new EventUnpacker()];
  const whole: Required<VerdictEvent> = {
    ...verdictEvent({ tls: tlsSummary({ sni: 'www.bank.example', clientAlpns: ['h2'] }) }),
    client: { address: Uint8Array.of(10, 0, 255, 128), port: 40_000 },
    server: { address: new Uint8Array(16).fill(0xfe), port: 443 },
    datagrams: 'quic',
    proven: true,
    connmark: { value: 1, mask: 3 },
    packets: 7,
    heldMicros: 8,
    tookMicros: 9.5,
    milestones: ['client', 1, 0, 'probe-asked', 0, 9],
    inIfindex: 2,
    outIfindex: 0,
    allowedBy: 'tls13',
    would: 'drop',
    others: [{ pinset: 'other', reason: 'pin-mismatch', would: 'reset' }],
    rules: [{ index: 0, list: '0', entry: null }],
    fault: 'tls.record.type',
    starttls: 'smtp',
    fronted: 'front.example',
    gaps: ['client'],
    frame: 12,
  };
  expect(unpacker.unpack(structuredClone(packer.pack(whole)))).toEqual(whole);
});

it('an event without TLS crosses as it is', () => {
  const event = { ...verdict([]), tls: null };
  const [packer, unpacker] = [new EventPacker(), new EventUnpacker()];
  expect(unpacker.unpack(packer.pack(event))).toEqual(event);
});

describe('what comes again', () => {
  const event = (more: Partial<VerdictEvent> = {}) =>
    verdictEvent({
      connmark: { value: 1, mask: 3 },
      others: [{ pinset: 'other', reason: 'pin-mismatch', would: 'reset' }],
      tls: tlsSummary({ clientAlpns: ['h2'], certificates: [leaf] }),
      ...more,
    });
  const leaf = certificate(1);

  it('is the same object, whatever else differs', () => {
    const { send } = wire();
    const first = send(event());
    const second = send(event({ flowId: 2, milestones: ['client', 1, 0] }));
    expect(second).toEqual(event({ flowId: 2, milestones: ['client', 1, 0] }));
    expect(second.tls).toBe(first.tls);
    expect(second.connmark).toBe(first.connmark);
    expect(second.others).toBe(first.others);
  });

  it('is what came last', () => {
    const { send } = wire();
    send(event());
    const changes: Partial<VerdictEvent>[] = [
      { connmark: { value: 2, mask: 3 } },
      { connmark: null },
      { others: [{ pinset: 'other', reason: 'pin-mismatch', would: 'drop' }] },
      { others: [] },
      { rules: [{ index: 0, list: null, entry: null }] },
    ];
    for (const change of changes) {
      const [one, other] = [send(event(change)), send(event(change))];
      expect(one).toEqual(event(change));
      expect(other).toEqual(event(change));
      expect(other.connmark).toBe(one.connmark);
      expect(other.others).toBe(one.others);
      expect(other.rules).toBe(one.rules);
    }
  });

  it('is another summary where anything in it differs', () => {
    const { send } = wire();
    const summary = event().tls!;
    const changes: Required<TlsSummary> = {
      sni: null,
      version: 0x0304,
      cipherSuite: 1,
      clientAlpns: ['h3'],
      sessionResumed: true,
      ja4: 't13d',
      sawClientHello: false,
      certificates: [certificate(2)],
      clientCertificates: [leaf],
    };
    for (const name of Object.keys(changes) as (keyof TlsSummary)[]) {
      for (const tls of [summary, { ...summary, [name]: changes[name] }, summary]) {
        expect(send(event({ tls })).tls).toEqual(tls);
      }
    }
  });
});
