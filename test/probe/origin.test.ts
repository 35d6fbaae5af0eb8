import { describe, expect, it } from 'vitest';

import type { Endpoint } from '../../src/judge/events.ts';
import type { ProbeRole } from '../../src/judge/ports.ts';
import {
  type BridgeWay,
  drawPort,
  type Family,
  Origins,
  type OriginsOptions,
  type OriginTraits,
  type ProbeWays,
} from '../../src/probe/origin.ts';

const CLIENT = { address: new Uint8Array([10, 0, 0, 2]), port: 40_000 };
const SERVER = { address: new Uint8Array([192, 0, 2, 1]), port: 443 };
const CLIENT6 = { address: Uint8Array.from([0xfd, ...Array<number>(14).fill(0), 2]), port: 50_001 };

/** Of these families. */
function ways(returning: readonly Family[], queued = returning, bridged = returning): ProbeWays {
  return { returning: new Set(returning), queued: new Set(queued), bridged: new Set(bridged) };
}

function origins(source: 'client' | 'gateway' | 'auto', options: OriginsOptions = {}) {
  const opened: [string, number, number[]][] = [];
  const [forgotten, said]: [number[][], number[][]] = [[], []];
  const streams = {
    streamFrom: (address: Buffer, port: number, options: Int32Array) => {
      opened.push([address.join('.'), port, [...options]]);
      return 7;
    },
    forgetStream: (_: Buffer, port: number, to: Buffer, toPort: number) => forgotten.push([port, ...to, toPort]),
    sayBehindAck: (fd: number, words: Buffer) => said.push([fd, ...words]),
  };
  const made = new Origins({ streams, ownAddresses: () => new Set(['10.0.0.1', 'fd00:0:0:0:0:0:0:1']), ...options });
  made.configure(source);
  const of = (client: Endpoint, synTraits?: OriginTraits, role?: ProbeRole) =>
    made.of({ client, server: SERVER, synTraits }, role);
  return { made, of, opened, forgotten, said };
}

it('a client’s address is had where its answers come back, of each family by itself', () => {
  const { made, of, opened, forgotten } = origins('auto');
  expect(of(CLIENT)).toBeUndefined();
  made.adopt(ways(['ipv4']));
  expect(of(CLIENT6)).toBeUndefined();
  const socket = of(CLIENT)!.open(SERVER)!;
  const [[address, port, options] = []] = opened;
  expect([socket.fd, address, options]).toEqual([7, '10.0.0.2', [0, 19, 1]]);
  socket.forget(SERVER);
  expect(forgotten).toEqual([[port, 192, 0, 2, 1, 443]]);
  expect(made.state).toEqual({
    asked: 'auto',
    ipv4: 'client',
    ipv6: 'gateway: the rules do not bring its answers back (apply them again)',
    bridge: null,
    unbridged: 0,
  });
});

it('a socket is what the client’s SYN was, as far as one can be', () => {
  const { made, of, opened } = origins('auto');
  made.adopt(ways(['ipv4', 'ipv6']));
  const routed = { isBridged: false };
  of(CLIENT, { hopLimit: 57, maximumSegmentSize: 1_400, windowScale: 8, ...routed })!.open(SERVER);
  of(CLIENT6, { hopLimit: 64, maximumSegmentSize: 1_440, windowScale: undefined, ...routed })!.open(SERVER);
  of(CLIENT, { hopLimit: 0, maximumSegmentSize: 0, windowScale: 0, ...routed })!.open(SERVER);
  expect(opened.map(([, , options]) => options)).toEqual([
    [0, 19, 1, 0, 2, 57, 6, 2, 1_400, 6, 10, 0xff_ffff],
    [41, 75, 1, 41, 16, 64, 6, 2, 1_440],
    [0, 19, 1],
  ]);
});

describe('of a client behind a bridge', () => {
  const BRIDGED = { hopLimit: 0, maximumSegmentSize: 0, windowScale: 0, isBridged: true };

  it('a socket is bound to the device that leads over it', () => {
    const { made, of, opened } = origins('auto', { bridge: { open: () => ({ ifindex: 9 }), misled: () => 0 } });
    made.adopt(ways(['ipv4']));
    of(CLIENT, BRIDGED)!.open(SERVER);
    expect(opened.map(([, , options]) => options)).toEqual([[0, 19, 1, 1, 62, 9]]);
    expect(made.state.bridge).toBe('client');
  });

  it.each([
    ['auto', ['ipv4'], 'gateway: no frames', 0],
    ['client', ['ipv4'], 'none: no frames', 1],
    ['auto', [], 'gateway: the rules do not lead them there (apply them again)', 0],
  ] as const)(
    'none is to be had where there is no device, or no rule (%s, %j)',
    (source, bridged, state, unbridged) => {
      const { made, of } = origins(source, { bridge: { open: () => ({ missing: 'no frames' }), misled: () => 0 } });
      made.adopt(ways(['ipv4'], ['ipv4'], [...bridged]));
      expect(of(CLIENT, BRIDGED)).toBeUndefined();
      expect(made.state).toMatchObject({ bridge: state, unbridged });
      expect(of(CLIENT)).toBeDefined();
    },
  );

  it('it needs no way back, and none of the queue’s, but the device’s own', () => {
    const { made, of } = origins('client', { bridge: { open: () => ({ ifindex: 9 }), misled: () => 0 } });
    made.adopt(ways([], [], ['ipv4']));
    expect(of(CLIENT, BRIDGED)).toBeDefined();
    expect(of(CLIENT)).toBeUndefined();
  });

  describe('with the gateway’s address', () => {
    const reaches = (own: boolean, bridge: BridgeWay = { open: () => ({ ifindex: 9 }), misled: () => 0 }) => {
      const asked: string[] = [];
      const given = origins('gateway', { bridge, reaches: (to) => (asked.push(to.join('.')), own) });
      given.made.adopt(ways([], [], ['ipv4']));
      return { ...given, asked };
    };

    it('it leaves with that where it leads to the server', () => {
      const { made, of, asked } = reaches(true);
      expect(of(CLIENT, BRIDGED)).toBeUndefined();
      expect(made.state).toMatchObject({ ipv4: 'gateway', bridge: 'gateway', unbridged: 0 });
      expect(asked).toEqual(['192.0.2.1']);
    });

    it('it takes the bridge where none does, and has nothing else then', () => {
      const { made, of, opened } = reaches(false);
      const origin = of(CLIENT, BRIDGED)!;
      expect([origin.isOnly, origin.open(SERVER)?.fd]).toEqual([true, 7]);
      expect(opened.map(([, , options]) => options)).toEqual([[0, 19, 1, 1, 62, 9]]);
      expect(made.state.bridge).toMatch(/^client: this host has no address/);
    });

    it('it takes it, too, where nobody has read the rules', () => {
      const { of } = origins('gateway', {
        bridge: { open: () => ({ ifindex: 9 }), misled: () => 0 },
        reaches: () => false,
      });
      expect(of(CLIENT, BRIDGED)).toBeDefined();
    });

    it('it is told where neither is to be had', () => {
      const { made, of } = reaches(false, { open: () => ({ missing: 'no frames' }), misled: () => 0 });
      expect(of(CLIENT, BRIDGED)).toBeUndefined();
      expect(made.state).toMatchObject({ bridge: 'none: no frames', unbridged: 1 });
    });

    it.each([
      ['client', true, 'none: where its client', 2],
      ['gateway', false, 'none: where its client', 2],
      ['auto', false, 'none: where its client', 2],
      ['auto', true, 'gateway: where its client', 0],
    ] as const)('it is told where one went nowhere (%s, %s)', (source, own, state, unbridged) => {
      let astray = 0;
      const bridge = { open: () => ({ ifindex: 9 }), misled: (why: string) => (why === 'astray' ? astray : 0) };
      const { made, of } = origins(source, { bridge, reaches: () => own });
      made.adopt(ways([], [], ['ipv4']));
      of(CLIENT, BRIDGED);
      expect(made.state).toMatchObject({ bridge: expect.stringMatching(/^client/) as string, unbridged: 0 });
      astray = 2;
      const told = { bridge: expect.stringContaining(state) as string, unbridged };
      expect([made.state, made.state]).toMatchObject([told, told]);
      of(CLIENT, BRIDGED);
      expect(made.state).toMatchObject({ bridge: expect.stringMatching(/^client/) as string, unbridged });
    });

    it('of others nothing is asked', () => {
      const { made, of, asked } = reaches(false);
      expect(of(CLIENT)).toBeUndefined();
      expect([made.state.bridge, asked]).toEqual([null, []]);
    });
  });
});

it('this host’s own address needs no way back, and a link-local one is nobody’s', () => {
  const { made, of, opened } = origins('auto');
  expect(of({ address: new Uint8Array([10, 0, 0, 1]), port: 1 })?.open(SERVER)).toBeDefined();
  expect(opened[0]?.[2]).toEqual([]);
  made.adopt(ways(['ipv6']));
  expect(of({ ...CLIENT6, address: Uint8Array.from([0xfe, 0x80, ...CLIENT6.address.subarray(2)]) })).toBeUndefined();
  expect(of({ ...CLIENT6, address: Uint8Array.from([0xfd, ...Array<number>(14).fill(0), 1]) })).toBeDefined();
});

it('nothing leaves by it where the gateway’s is asked for, or no such socket can be had', () => {
  const { made, of } = origins('gateway');
  made.adopt(ways(['ipv4', 'ipv6']));
  expect(of(CLIENT)).toBeUndefined();
  expect(made.state.ipv4).toBe('gateway');
  const without = new Origins({});
  without.configure('client');
  without.adopt(ways(['ipv4']));
  expect(without.of({ client: CLIENT, server: SERVER })).toBeUndefined();
  expect(without.state.ipv4).toMatch(/^none: no socket/);
});

it('what is not heard three times in a row is left for five minutes, or until its way was gone and is back', () => {
  let now = 0;
  const { made, of } = origins('auto', { now: () => now });
  made.adopt(ways(['ipv4', 'ipv6']));
  const origin = of(CLIENT)!;
  const unheard = (times: number) => {
    for (let i = 0; i < times; i++) made.onUnheard(origin);
  };
  unheard(2);
  made.onHeard(origin);
  unheard(2);
  expect(of(CLIENT)).toBeDefined();
  unheard(1);
  expect(of(CLIENT)).toBeUndefined();
  expect(of(CLIENT6)).toBeDefined();
  now += 300_000;
  expect(of(CLIENT)).toBeDefined();
  unheard(1);
  expect(of(CLIENT)).toBeUndefined();
  made.adopt(ways(['ipv6']));
  made.adopt(ways(['ipv4', 'ipv6']));
  expect(of(CLIENT)).toBeDefined();
});

it('whoever is to have no other address is tried again and again', () => {
  const { made, of } = origins('client');
  made.adopt(ways(['ipv4']));
  for (let i = 0; i < 5; i++) made.onUnheard(of(CLIENT)!);
  expect(of(CLIENT)).toBeDefined();
});

it.each([40_000, 40_001, 61_234, 65_535, 12_345, 80])(
  'a port is drawn as the client’s %i was: its range, even or odd',
  (port) => {
    const range =
      port >= 32_768 && port <= 60_999
        ? [32_768, 60_999]
        : port >= 49_152
          ? [49_152, 65_535]
          : port < 10_240
            ? [32_768, 60_999]
            : [10_240, 32_767];
    for (let i = 0; i < 1_000; i++) {
      const drawn = drawPort(port);
      expect(drawn).not.toBe(port);
      expect(drawn & 1).toBe(port & 1);
      expect(drawn).toBeGreaterThanOrEqual(range[0]!);
      expect(drawn).toBeLessThanOrEqual(range[1]!);
    }
  },
);

it('each is told of ahead of its first packet, but for this host’s own', () => {
  const dialled: unknown[] = [];
  const { made, of, opened } = origins('client', { onDialled: (probe) => dialled.push(probe) });
  made.adopt(ways(['ipv4']));
  for (const role of ['awaited', 'decoy'] as const) of(CLIENT, undefined, role)!.open(SERVER);
  of({ ...CLIENT, address: new Uint8Array([10, 0, 0, 1]) })!.open(SERVER);
  const [first, second] = opened.map(([, port]) => port);
  expect(dialled).toEqual([
    { client: CLIENT, server: SERVER, probePort: first, role: 'awaited' },
    { client: CLIENT, server: SERVER, probePort: second, role: 'decoy' },
  ]);
});

it('where their packets do not come through the queue, it is said whose TCP they have', () => {
  const { made } = origins('client');
  made.adopt(ways(['ipv4', 'ipv6'], ['ipv6']));
  expect(made.state).toMatchObject({ ipv4: expect.stringMatching(/^client, with this host's TCP: /), ipv6: 'client' });
});

it('a silent one acknowledges nothing ahead of its first word', () => {
  const { made, of, opened, said } = origins('client');
  made.adopt(ways(['ipv4']));
  const socket = of(CLIENT, undefined, 'decoy')!.open(SERVER)!;
  expect(opened[0]![2].slice(-3)).toEqual([6, 9, 1]);
  socket.sayFirst!(Uint8Array.of(1, 2));
  expect(said).toEqual([[7, 1, 2]]);
  expect(of(CLIENT)!.open(SERVER)!.sayFirst).toBeUndefined();
});

it('a server that left a late probe without an answer gets no more of them; others do', () => {
  const { made } = origins('client');
  expect(made.mayPause(SERVER)).toBe(true);
  made.onStarved(SERVER);
  expect(made.mayPause(SERVER)).toBe(false);
  expect(made.mayPause({ ...SERVER, port: 444 })).toBe(true);
});
