/** node-nfqueue's own surface, where another binding stands in for the kernel; e2e/node-nfqueue.test.ts asks the kernel. */
import { constants } from 'node:os';

import { HOOK, NF_ACCEPT, NF_DROP, NF_REPEAT, type Packet, Queue, type QueueOptions } from 'node-nfqueue';
import { beforeEach, describe, expect, test } from 'vitest';

import { FakeKernel } from '../support/fake-kernel.ts';

const SYN = { packetId: 1, offset: 0, length: 4, originalLength: 60, hook: HOOK.forward, inIfindex: 2, mark: 7 };

let kernel: FakeKernel;
beforeEach(() => {
  kernel = new FakeKernel();
});

const open = (options: Partial<QueueOptions> = {}) => Queue.open({ queueNum: 9, slots: 8, ...options }, kernel);
/** Verdicts leave when the callback is done. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('packets', () => {
  test('are read from the first listener on, and not before', async () => {
    const queue = await open();
    expect(kernel.reading).toBe(false);
    queue.on('trouble', () => {});
    expect(kernel.reading).toBe(false);
    queue.on('packet', () => {});
    expect(kernel.reading).toBe(true);
  });

  test('keep their octets when the next batch overwrites the slab', async () => {
    const packets: Packet[] = [];
    (await open()).on('packet', (packet) => packets.push(packet));
    kernel.options.slab.write('one.');
    kernel.deliver(SYN);
    kernel.options.slab.write('two.');
    kernel.deliver({ ...SYN, packetId: 2 });
    expect(packets.map(({ id, payload }) => [id, String(payload)])).toEqual([
      [1, 'one.'],
      [2, 'two.'],
    ]);
    expect(packets[0]).toMatchObject({ originalLength: 60, hook: HOOK.forward, inIfindex: 2, outIfindex: 0, mark: 7 });
  });

  test('have a connmark where the kernel told one', async () => {
    const packets: Packet[] = [];
    (await open()).on('packet', (packet) => packets.push(packet));
    kernel.deliver({ ...SYN, connmark: 5, flags: 0x8, ctid: 44 }, { ...SYN, connmark: 0, flags: 0x8 }, SYN);
    expect(packets.map(({ connmark, ctid }) => [connmark, ctid])).toEqual([
      [5, 44],
      [0, 0],
      [undefined, 0],
    ]);
  });

  test('of one batch have their verdicts sent together, changes included', async () => {
    const payload = Buffer.from('E new');
    (await open()).on('packet', (packet) => {
      if (packet.id === 1) packet.accept({ mark: 3, connmark: { value: 1, mask: 0xf }, payload });
      else if (packet.id === 2) packet.drop();
      else packet.repeat({ mark: 0 });
    });
    kernel.deliver(SYN, { ...SYN, packetId: 2 }, { ...SYN, packetId: 3 });
    await settled();
    expect(kernel.sends).toEqual([3]);
    expect(kernel.sent).toEqual([
      { packetId: 1, verdict: NF_ACCEPT, mark: 3, connmark: { value: 1, mask: 0xf }, payload: 'E new' },
      { packetId: 2, verdict: NF_DROP },
      { packetId: 3, verdict: NF_REPEAT, mark: 0 },
    ]);
  });

  test('may have their verdict later, and have one only', async () => {
    const packets: Packet[] = [];
    (await open()).on('packet', (packet) => packets.push(packet));
    kernel.deliver(SYN);
    await settled();
    packets[0]!.drop();
    expect(() => packets[0]!.accept()).toThrow('packet 1 has its verdict already');
    await settled();
    expect(kernel.sent).toEqual([{ packetId: 1, verdict: NF_DROP }]);
  });

  test('come one after the other to a loop, which ends when the queue is closed', async () => {
    const queue = await open();
    const seen: number[] = [];
    const loop = (async () => {
      for await (const packet of queue) {
        seen.push(packet.id);
        packet.accept();
      }
      return 'ended';
    })();
    await settled();
    kernel.deliver(SYN, { ...SYN, packetId: 2 });
    await settled();
    await queue.close();
    expect(await loop).toBe('ended');
    expect(seen).toEqual([1, 2]);
    expect(kernel.sent).toHaveLength(2);
  });

  test('that are not to come any more end the loop with what went wrong', async () => {
    const queue = await open();
    const loop = (async () => {
      for await (const packet of queue) packet.accept();
    })();
    await settled();
    kernel.options.onError(constants.errno.EBADF);
    await expect(loop).rejects.toThrow('netlink receive: queue 9: EBADF');
  });
});

describe('what was lost or is late', () => {
  test('is trouble, and the queue goes on', async () => {
    const troubles: string[] = [];
    const queue = await open();
    queue.on('trouble', ({ message }) => troubles.push(message));
    kernel.options.onError(constants.errno.ENOBUFS);
    kernel.takes = [0];
    queue.verdict(1, NF_ACCEPT);
    queue.flush();
    expect(troubles).toEqual([
      expect.stringMatching(/^netlink receive: queue 9: ENOBUFS \(the receive buffer ran over/),
      'netlink send verdicts: queue 9: ENOBUFS (tried again)',
    ]);
    await expect.poll(() => kernel.sent).toHaveLength(1);
  });
});

test.each([
  [{ queueNum: 65_536 }, 'queueNum is a whole number from 0 to 65535, not 65536'],
  [{ queueNum: -1 }, 'queueNum'],
  [{ maxLength: 0 }, 'maxLength'],
  [{ slots: 1.5 }, 'slots'],
  [{ receiveBuffer: NaN }, 'receiveBuffer'],
])('%o is refused', async (options, message) => {
  await expect(open(options)).rejects.toThrow(RangeError);
  await expect(open(options)).rejects.toThrow(message);
});

test('a queue that is closed twice is closed', async () => {
  const queue = await open();
  let closings = 0;
  queue.on('close', () => closings++);
  await queue.close();
  await queue.close();
  expect(closings).toBe(1);
  expect(kernel.open).toBe(false);
});
