/** What operators are shown of connections that are not settled: which there are, which fit, and page after page. */
import { describe, expect, it } from 'vitest';

import type { FlowFilter } from '../../src/connection/listing.ts';
import { certificate } from '../support/certificates.ts';
import { forgedFlight, genuineFlight, HOST, opened } from '../support/flows.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Wire } from '../support/wire.ts';

const list = (wire: Wire, filter: FlowFilter = {}, more: { after?: number; limit?: number; detailed?: boolean } = {}) =>
  wire.engine.list({ after: 0, limit: 10, filter, detailed: false, ...more });
const hello = tls.clientHello({ name: HOST });

describe('a flow is shown', () => {
  it('from the first octet of its client on, as one that nothing is known of', () => {
    const wire = opened();
    expect(list(wire)).toEqual({ flows: [], more: false });
    wire.fromClient(hello.subarray(0, 20));
    expect(list(wire).flows).toMatchObject([
      { phase: 'inspecting', name: null, pinsets: null, action: null, reason: null, mark: 'pending', seen: undefined },
    ]);
  });

  it('with its name and what that selected, as soon as they are known, and how long it has been there', () => {
    const wire = opened();
    wire.fromClient(hello.subarray(0, 20));
    wire.now += 1_500_000;
    wire.fromClient(hello.subarray(20));
    wire.now += 250_000;
    expect(list(wire).flows).toMatchObject([
      { phase: 'inspecting', name: HOST, pinsets: ['pinset-0'], action: null, age: 1_750, idle: 250 },
    ]);
  });

  it('with its decision, while the kernel has not got it', () => {
    const wire = opened();
    wire.fromClient(hello);
    wire.fromServer(forgedFlight);
    expect(list(wire).flows).toMatchObject([{ phase: 'denying', action: 'tls-alert', reason: 'pin-mismatch' }]);
  });

  it('with all that was seen of it, where that is asked for', () => {
    const wire = opened();
    wire.fromClient(hello);
    wire.fromServer(genuineFlight);
    const [flow] = list(wire, {}, { detailed: true }).flows;
    expect(flow!.seen).toMatchObject({ flowId: flow!.id, action: 'accept', tls: { sni: HOST } });
    expect(flow!.seen!.tls!.certificates[0]).toEqual(certificate('leaf'));
  });
});

describe('a filter', () => {
  const wire = opened();
  wire.fromClient(hello);

  it.each<[FlowFilter, number]>([
    [{ name: HOST }, 1],
    [{ name: '*.bank.example' }, 1],
    [{ name: 'bank.example' }, 0],
    [{ port: 443 }, 1],
    [{ port: 51_514 }, 1],
    [{ port: 80 }, 0],
    [{ address: new Uint8Array([198, 51, 100, 7]) }, 1],
    [{ address: new Uint8Array([198, 51, 100, 8]) }, 0],
    [{ phase: 'inspecting' }, 1],
    [{ phase: 'opening' }, 0],
    [{ pinset: 'pinset-0' }, 1],
    [{ pinset: 'another' }, 0],
    [{ id: 99 }, 0],
    [{ name: HOST, port: 80 }, 0],
  ])('%j lets through %i', (filter, count) => {
    expect(list(wire, filter).flows).toHaveLength(count);
  });
});

it('a page ends where it is full, says that others follow, and the next one begins behind it', () => {
  const wire = opened();
  wire.fromClient(hello);
  const { id } = list(wire).flows[0]!;
  expect(list(wire, {}, { limit: 1 })).toMatchObject({ more: false });
  expect(list(wire, {}, { limit: 0 })).toEqual({ flows: [], more: true });
  expect(list(wire, {}, { after: id })).toEqual({ flows: [], more: false });
});
