/** Options of SYNs on their way through the engine: both ends fall back to plain TCP, whoever offers something else. */
import { describe, expect, it } from 'vitest';

import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { bank, PENDING } from '../support/flows.ts';
import { viewTcp } from '../support/ip-bytes.ts';
import { type Answer, Wire } from '../support/wire.ts';

const { syn, ack } = TCP_FLAG;
const MSS = [2, 4, 0x05, 0xb4];
const MP_CAPABLE = [30, 12, 0x01, 0x81, 1, 2, 3, 4, 5, 6, 7, 8];
const options = Uint8Array.from([...MSS, ...MP_CAPABLE]);

/** Of what leaves in the place of the packet. */
function optionsOf({ verdict, payload }: Answer): number[] {
  expect(verdict).toBe('accept');
  const { start, dataStart, bytes } = viewTcp(payload!);
  return [...bytes.subarray(start + 20, dataStart)];
}

const without = [...MSS, ...new Array<number>(12).fill(1)];

describe('Multipath TCP', () => {
  it('is not offered to the server, nor to the client by a server that was not asked', () => {
    const wire = new Wire({ pinsets: [bank()] });
    expect(optionsOf(wire.fromClient('', { flags: syn, options }))).toEqual(without);
    expect(wire.connmark).toBe(PENDING);
    wire.clientSeq = seqAdd(wire.clientSeq, 1);
    expect(optionsOf(wire.fromServer('', { flags: syn | ack, options }))).toEqual(without);
    expect(wire.engine.counters).toMatchObject({ synOptionsRemoved: 2, rewritten: 2, accepted: 2 });
  });

  it('nor in a SYN that is sent again, or in the SYN/ACK that answers it', () => {
    const wire = new Wire({ pinsets: [bank()] }).open();
    const [clientSyn, serverSyn] = [seqAdd(wire.clientSeq, -1), seqAdd(wire.serverSeq, -1)];
    expect(optionsOf(wire.fromClient('', { flags: syn, seq: clientSyn, options }))).toEqual(without);
    expect(optionsOf(wire.fromServer('', { flags: syn | ack, seq: serverSyn, options }))).toEqual(without);
  });

  it('nor in a SYN over endpoints that are used again', () => {
    const wire = new Wire({ pinsets: [bank()] }).open();
    expect(optionsOf(wire.fromClient('', { flags: syn, seq: 77_000, options }))).toEqual(without);
    const answer = wire.fromServer('', { flags: syn | ack, seq: 88_000, ack: 77_001, options });
    expect(optionsOf(answer)).toEqual(without);
    expect(answer.connmark).toBe(PENDING);
  });

  it('in a list of options that is cut is refused with its SYN', () => {
    const wire = new Wire({ pinsets: [bank()] });
    const cut = Uint8Array.from([30, 12, 0x01, 0x81]);
    expect(wire.fromClient('', { flags: syn, options: cut }).verdict).toBe('drop');
    expect(wire.engine.counters.refused.get('packet.tcp')).toBe(1);
  });

  it('of a capture is left as it was captured', () => {
    const wire = new Wire({ pinsets: [bank()] }, { live: false });
    expect(wire.fromClient('', { flags: syn, options })).toMatchObject({ verdict: 'accept', payload: undefined });
  });
});

it('a SYN with ordinary options goes as it is', () => {
  const wire = new Wire({ pinsets: [bank()] });
  const ordinary = Uint8Array.from([...MSS, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0]);
  expect(wire.fromClient('', { flags: syn, options: ordinary })).toMatchObject({
    verdict: 'accept',
    payload: undefined,
  });
  expect(wire.engine.counters.synOptionsRemoved).toBe(0);
});
