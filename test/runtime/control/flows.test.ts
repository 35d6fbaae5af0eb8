/** Flows of several queues as one: each queue answers for its own, as a daemon's queues do. */
import { describe, expect, it } from 'vitest';

import type { FlowQuestion, FlowView } from '../../../src/connection/listing.ts';
import type { Daemon } from '../../../src/runtime/daemon.ts';
import { explainAnswer } from '../../../src/runtime/control/explain-answer.ts';
import { flowsAnswer } from '../../../src/runtime/control/flows.ts';
import { RequestReader } from '../../../src/runtime/control/requests.ts';
import type { Overview } from '../../../src/runtime/control/status.ts';

const view = (id: number): FlowView => ({
  id,
  client: { address: new Uint8Array([10, 0, 0, 1]), port: 40_000 },
  server: { address: new Uint8Array([198, 51, 100, 7]), port: 443 },
  phase: 'inspecting',
  name: null,
  pinsets: null,
  action: null,
  reason: null,
  mark: 'pending',
  waits: false,
  heldPackets: 0,
  bufferedBytes: 0,
  age: 0,
  idle: 0,
  seen: undefined,
});

/** `undefined`: the queue does not answer. */
function daemonOf(queues: Readonly<Record<number, readonly number[] | undefined>>) {
  const questions: FlowQuestion[] = [];
  const daemon: Pick<Daemon, 'list' | 'status'> = {
    list: async (question) => {
      questions.push(question);
      const answered = Object.entries(queues).flatMap(([queue, ids]) => {
        if (ids === undefined) return [];
        const later = ids.filter((id) => id > question.after);
        const page = { flows: later.slice(0, question.limit).map(view), more: later.length > question.limit };
        return [[Number(queue), page] as const];
      });
      return new Map(answered);
    },
    status: () => ({
      config: '',
      generation: 1,
      probes: null,
      probeOrigins: null,
      queues: Object.keys(queues).map((queue) => ({ queue: Number(queue), route: '', counts: undefined as never })),
    }),
  };
  return { daemon: daemon as Daemon, questions };
}

const asked = async (daemon: Daemon, request: object) =>
  (await flowsAnswer(daemon, new RequestReader({ ...request }))) as {
    flows: { flow_id: number; queue: number }[];
    next: number | null;
    silent?: number[];
  };

describe('flows', () => {
  const { daemon } = daemonOf({ 0: [1, 3, 5, 11], 1: [2, 4], 2: [] });

  it('of all queues come in the order of their numbers, which are unique', async () => {
    const { flows, next } = await asked(daemon, {});
    expect(flows.map(({ flow_id: flow, queue }) => [flow, queue])).toEqual([
      [1, 0],
      [2, 1],
      [3, 0],
      [4, 1],
      [5, 0],
      [11, 0],
    ]);
    expect(next).toBeNull();
  });

  it.each([1, 2, 3, 4, 5, 6, 7])('come page by page, %i at a time: each once', async (limit) => {
    const seen: number[] = [];
    for (let after: number | null = 0; after !== null;) {
      const { flows, next } = await asked(daemon, { after, limit });
      expect(flows.length).toBeLessThanOrEqual(limit);
      seen.push(...flows.map(({ flow_id: flow }) => flow));
      after = next;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 11]);
  });

  it.each([
    ['3', [4, 5, 11]],
    [3, [4, 5, 11]],
  ])('follow the one that is named as %j', async (after, expected) => {
    expect((await asked(daemon, { after })).flows.map(({ flow_id: flow }) => flow)).toEqual(expected);
  });

  it.each(['x', '-1', '1/', '1/2/3', 1.5, '9'.repeat(16)])('do not follow %j', async (after) => {
    await expect(asked(daemon, { after })).rejects.toThrow(/^"after" must be/);
  });

  it('of a queue that does not answer are missing, and that is said', async () => {
    const { daemon } = daemonOf({ 0: [1], 1: undefined });
    expect(await asked(daemon, {})).toMatchObject({ flows: [{ flow_id: 1 }], silent: [1] });
  });
});

describe('explain', () => {
  it.each(['1234', 1234])('looks for the flow with the number %j in every queue', async (flow) => {
    const { daemon, questions } = daemonOf({ 0: [], 1: [] });
    const host = { daemon, verdicts: { latest: () => [] } } as unknown as Overview;
    const explained = explainAnswer(host, new RequestReader({ flow }));
    await expect(explained).rejects.toThrow(`there is no flow ${flow}`);
    expect(questions).toMatchObject([{ filter: { id: 1234 } }]);
  });
});
