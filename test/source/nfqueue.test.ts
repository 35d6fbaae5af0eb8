import { constants } from 'node:os';
import { NetlinkError } from 'node-nfqueue';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { FIELD, FLAG, NF_ACCEPT, NF_DROP, NF_REPEAT, type PacketBatch } from '../../src/packet/batch.ts';
import { type NfqueueOptions, NfqueueSource } from '../../src/source/nfqueue.ts';
import { FakeKernel } from '../support/fake-kernel.ts';

const MASK = 0x60000000;
const TOLD = 0x4000000;
const PENDING = { value: 0x60000000, mask: MASK };
const ACCEPT = { value: 0x20000000, mask: MASK };

let kernel: FakeKernel;
let rows: Partial<Record<keyof typeof FIELD, number>>[];
let errors: string[];
let lost: string[];

beforeEach(() => {
  kernel = new FakeKernel();
  rows = [];
  errors = [];
  lost = [];
});

async function start(options: Partial<NfqueueOptions> = {}): Promise<NfqueueSource> {
  const own = { queueNum: 9, connmarkMask: MASK, toldBit: TOLD, maxLength: 64, slots: 8 };
  const source = new NfqueueSource({ ...own, ...options }, kernel);
  const onBatch = ({ words, count }: PacketBatch) => {
    for (let row = 0; row < count * FIELD.ROW; row += FIELD.ROW) {
      rows.push({
        mark: words[row + FIELD.mark]!,
        connmark: words[row + FIELD.connmark]!,
        flags: words[row + FIELD.flags]!,
      });
    }
  };
  await source.start({
    onBatch,
    onSourceError: (error) => errors.push(error.message),
    onSourceLost: (error) => lost.push(error.message),
  });
  return source;
}

describe('the connmark route', () => {
  test.each([
    ['auto', true, 'verdict', true],
    ['auto', false, 'packet-mark', true],
    ['packet-mark', true, 'packet-mark', false],
    ['verdict', true, 'verdict', true],
  ] as const)('%s, with NFQA_CT granted %s, is %s', async (route, glue, expected, asked) => {
    kernel.glue = glue;
    const source = await start({ route });
    expect(source.route).toBe(expected);
    expect(kernel.options.conntrack).toBe(asked);
  });

  test('verdict is refused, and the queue closed, where the kernel does not grant it', async () => {
    await expect(start({ route: 'verdict' })).rejects.toThrow('EOPNOTSUPP');
    expect(kernel.open).toBe(false);
  });
});

test('packets are stamped with the clock that is given, never with the time of day', async () => {
  const stamps: number[][] = [];
  const options = { queueNum: 9, connmarkMask: MASK, toldBit: TOLD, maxLength: 64, slots: 8, now: () => 12_000_034 };
  await new NfqueueSource(options, kernel).start({
    onBatch: ({ words }) => void stamps.push([words[FIELD.timeSeconds]!, words[FIELD.timeMicros]!]),
  });
  kernel.deliver({ packetId: 1, mark: 0 });
  expect(stamps).toEqual([[12, 34]]);
});

describe('on the verdict route', () => {
  beforeEach(() => void (kernel.glue = true));

  test('the connmark comes and goes beside the packet; the packet mark is left alone', async () => {
    const source = await start();
    kernel.deliver({ packetId: 1, mark: 0x7, connmark: 0x20000000, flags: FLAG.hasConnmark });
    expect(rows).toEqual([{ mark: 0x7, connmark: 0x20000000, flags: FLAG.hasConnmark }]);
    source.verdict(1, NF_ACCEPT, { connmark: PENDING });
    source.verdict(2, NF_DROP);
    source.flush();
    expect(kernel.sent).toEqual([
      { packetId: 1, verdict: NF_ACCEPT, connmark: PENDING },
      { packetId: 2, verdict: NF_DROP },
    ]);
  });

  test('bits that the rules of the other route put into the packet mark leave it, so that they are not saved back', async () => {
    const source = await start();
    kernel.deliver({ packetId: 1, mark: 0x40000007, connmark: 0x40000000, flags: FLAG.hasConnmark });
    source.verdict(1, NF_ACCEPT, { connmark: PENDING });
    source.flush();
    expect(kernel.sent).toEqual([{ packetId: 1, verdict: NF_ACCEPT, connmark: PENDING, mark: 0x7 }]);
  });

  test('a packet without a connection has no connmark', async () => {
    await start();
    kernel.deliver({ packetId: 1, mark: 0x60000000 });
    expect(rows).toEqual([{ mark: 0x60000000, connmark: 0, flags: 0 }]);
  });
});

describe('on the packet-mark route', () => {
  test("the engine's bits of the packet mark are the connmark, other bits are not", async () => {
    await start();
    kernel.deliver({ packetId: 1, mark: 0x60000011 });
    expect(rows).toEqual([{ mark: 0x60000011, connmark: 0x60000000, flags: FLAG.hasConnmark }]);
  });

  test('a change is told to the rules in the packet mark, which see the packet again, beside bits that others set', async () => {
    const source = await start();
    kernel.deliver({ packetId: 1, mark: 0xc0000011 });
    source.verdict(1, NF_ACCEPT, { connmark: ACCEPT });
    source.flush();
    expect(kernel.sent).toEqual([{ packetId: 1, verdict: NF_REPEAT, mark: 0xa4000011 }]);
    expect(source.stats()).toMatchObject({ accepted: 1, dropped: 0 });
  });

  test('without a change the bits leave the packet, which goes on', async () => {
    const source = await start();
    kernel.deliver({ packetId: 1, mark: 0x60000011 }, { packetId: 2, mark: 0x11 });
    source.verdict(1, NF_ACCEPT);
    source.verdict(2, NF_ACCEPT);
    source.flush();
    expect(kernel.sent).toEqual([
      { packetId: 1, verdict: NF_ACCEPT, mark: 0x11 },
      { packetId: 2, verdict: NF_ACCEPT },
    ]);
  });

  test('the value that the packet already carries is told too: another packet may have changed it since', async () => {
    const source = await start();
    kernel.deliver({ packetId: 1, mark: 0x60000000 });
    source.verdict(1, NF_ACCEPT, { connmark: PENDING });
    source.flush();
    expect(kernel.sent).toEqual([{ packetId: 1, verdict: NF_REPEAT, mark: 0x64000000 }]);
  });

  test('a packet that is dropped tells nothing', async () => {
    const source = await start();
    kernel.deliver({ packetId: 1, mark: 0x11 });
    source.verdict(1, NF_DROP, { connmark: ACCEPT });
    source.flush();
    expect(kernel.sent).toEqual([{ packetId: 1, verdict: NF_DROP }]);
  });

  test('packets that come back from rules that do not know the bit are dropped, the others are not, and it is said once', async () => {
    const source = await start();
    for (const first of [1, 5]) {
      kernel.deliver(
        { packetId: first, mark: TOLD },
        { packetId: first + 1, mark: 0x11 },
        { packetId: first + 2, mark: TOLD | 0x20000000 },
        { packetId: first + 3, mark: 0x40000000 },
      );
    }
    expect(rows.map(({ mark, connmark }) => [mark, connmark])).toEqual([
      [0x11, 0],
      [0x40000000, 0x40000000],
      [0x11, 0],
      [0x40000000, 0x40000000],
    ]);
    expect(kernel.sent).toEqual([1, 3, 5, 7].map((packetId) => ({ packetId, verdict: NF_DROP })));
    expect(errors).toEqual([expect.stringMatching(/^queue 9: packets come back .*tlspin rules --apply -c FILE/)]);
    source.verdict(8, NF_ACCEPT);
    source.flush();
    expect(kernel.sent.at(-1)).toEqual({ packetId: 8, verdict: NF_ACCEPT, mark: 0 });
  });

  test("a change of some of the engine's bits leaves the others as they came", async () => {
    const source = await start({ connmarkMask: 0x600000ff });
    kernel.deliver({ packetId: 1, mark: 0x60000012 });
    source.verdict(1, NF_ACCEPT, { connmark: ACCEPT });
    source.flush();
    expect(kernel.sent).toEqual([{ packetId: 1, verdict: NF_REPEAT, mark: 0x24000012 }]);
  });

  test('the mark is remembered for as long as the packet is held', async () => {
    const source = await start();
    kernel.deliver({ packetId: 1, mark: 0x60000011 });
    for (let id = 2; id < 60; id++) {
      kernel.deliver({ packetId: id, mark: id });
      source.verdict(id, NF_ACCEPT);
    }
    source.verdict(1, NF_ACCEPT, { connmark: ACCEPT });
    source.flush();
    expect(kernel.sent.at(-1)).toEqual({ packetId: 1, verdict: NF_REPEAT, mark: 0x24000011 });
  });
});

describe('verdicts', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('leave together, at flush', async () => {
    const source = await start();
    for (let id = 1; id <= 5; id++) source.verdict(id, NF_ACCEPT);
    expect(kernel.sends).toEqual([]);
    source.flush();
    source.flush();
    expect(kernel.sends).toEqual([5]);
    expect(source.stats()).toMatchObject({ accepted: 5, dropped: 0 });
  });

  test('that find no room are sent ahead of the rest', async () => {
    const source = await start();
    for (let id = 1; id <= 100; id++) source.verdict(id, NF_DROP);
    source.flush();
    expect(kernel.sent.map((verdict) => verdict.packetId)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(source.stats().dropped).toBe(100);
  });

  test('that the kernel has no memory for are tried again, in order, with their payloads', async () => {
    kernel.takes = [1, 0, 0];
    const source = await start();
    source.verdict(1, NF_ACCEPT);
    source.verdict(2, NF_ACCEPT, { payload: Buffer.from('E second') });
    source.flush();
    source.verdict(3, NF_ACCEPT, { payload: Buffer.from('E third') });
    await vi.advanceTimersByTimeAsync(100);
    expect(kernel.sent).toEqual([
      { packetId: 1, verdict: NF_ACCEPT },
      { packetId: 2, verdict: NF_ACCEPT, payload: 'E second' },
      { packetId: 3, verdict: NF_ACCEPT, payload: 'E third' },
    ]);
    expect(errors).toEqual(['netlink send verdicts: queue 9: ENOBUFS (tried again)']);
  });

  test('carry a copy of the replacement, which its owner may use again at once', async () => {
    const source = await start();
    const payload = Buffer.from('E one');
    source.verdict(1, NF_ACCEPT, { payload });
    payload.write('E two');
    source.verdict(2, NF_ACCEPT, { payload });
    source.flush();
    expect(kernel.sent.map((verdict) => verdict.payload)).toEqual(['E one', 'E two']);
  });

  test('with more replacements than fit at once are sent in several goes', async () => {
    const source = await start();
    const payload = Buffer.alloc(60_000, 'E');
    for (let id = 1; id <= 40; id++) source.verdict(id, NF_ACCEPT, { payload });
    source.flush();
    expect(kernel.sent).toHaveLength(40);
    expect(kernel.sent.every((verdict, i) => verdict.packetId === i + 1 && verdict.payload?.length === 60_000)).toBe(
      true,
    );
  });

  test('whose replacement has no room left become drops: what was to be replaced never passes as it was', async () => {
    kernel.takes = Array.from({ length: 50 }, () => 0);
    const source = await start();
    const payload = Buffer.alloc(60_000, 'E');
    for (let id = 1; id <= 20; id++) source.verdict(id, NF_ACCEPT, { payload });
    kernel.takes = [];
    source.flush();
    const replaced = kernel.sent.filter((verdict) => verdict.payload !== undefined);
    expect(kernel.sent).toHaveLength(20);
    expect(replaced).toHaveLength(17);
    expect(kernel.sent.slice(17).every((verdict) => verdict.verdict === NF_DROP)).toBe(true);
    expect(source.stats()).toMatchObject({ accepted: 17, dropped: 3 });
  });

  test('that still wait are sent before the queue is closed', async () => {
    const source = await start();
    source.verdict(1, NF_ACCEPT);
    await source.stop();
    expect(kernel.sent).toHaveLength(1);
    expect(kernel.open).toBe(false);
  });

  test('that come after the queue was closed are counted as errors, and nothing is tried again', async () => {
    const source = await start();
    await source.stop();
    source.verdict(1, NF_ACCEPT);
    source.flush();
    expect(kernel.sends).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(source.stats()).toMatchObject({ accepted: 0, verdictErrors: 1 });
  });
});

describe('errors name the operation, the queue, the errno and the cure', () => {
  test('a missing capability', async () => {
    kernel.failure = { operation: 'bind', errno: constants.errno.EPERM };
    kernel.capable = false;
    await expect(start()).rejects.toThrow(
      'netlink bind: queue 9: EPERM (needs CAP_NET_ADMIN in the user namespace that owns this network namespace)',
    );
    await expect(start()).rejects.toMatchObject({ code: 'EPERM', operation: 'bind', name: 'NetlinkError' });
  });

  test('a kernel without the queue', async () => {
    kernel.failure = { operation: 'bind', errno: constants.errno.EINVAL };
    await expect(start()).rejects.toThrow('modprobe nfnetlink_queue');
  });

  test('one without a known cure says only what it is', () => {
    expect(new NetlinkError('bind', 'queue 3', { errno: constants.errno.EIO }).message).toBe(
      'netlink bind: queue 3: EIO',
    );
  });

  test('a receive buffer smaller than was asked for is said, and the queue runs', async () => {
    kernel.receiveBuffer = 425_984;
    await start();
    expect(errors).toEqual([
      'queue 9: receive buffer of 425984 octets instead of 16777216 (raise net.core.rmem_max, or bursts will be lost)',
    ]);
  });

  test('what goes wrong later reaches the sink', async () => {
    await start();
    kernel.options.onError(constants.errno.ENOBUFS);
    expect(errors).toEqual([
      'netlink receive: queue 9: ENOBUFS (the receive buffer ran over and packets were lost: raise its size or the number of queues)',
    ]);
    expect(lost).toEqual([]);
  });

  test('what ends the listening is told apart from what is lost', async () => {
    await start();
    kernel.options.onError(constants.errno.EBADF);
    expect(lost).toEqual(['netlink receive: queue 9: EBADF']);
    expect(errors).toEqual([]);
  });
});
