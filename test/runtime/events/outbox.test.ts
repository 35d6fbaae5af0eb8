import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { FlowEvent } from '../../../src/judge/events.ts';
import { EventOutbox } from '../../../src/runtime/events/outbox.ts';
import { QueueCounters } from '../../../src/runtime/queue/counters.ts';
import type { FromQueue } from '../../../src/runtime/queue/messages.ts';

const event = (detail: string): FlowEvent => ({
  kind: 'anomaly',
  time: 0,
  flowId: 0,
  client: null,
  server: null,
  code: 'learn.full',
  detail,
});

function outbox(backlog: number) {
  const posted: FromQueue[] = [];
  const counters = new QueueCounters();
  const port = { postMessage: (message: FromQueue) => posted.push(message) };
  return { posted, counters, box: new EventOutbox(port, counters, () => backlog) };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('sends what comes by itself within five milliseconds, and what comes right behind it once 25 have passed', () => {
  const { posted, box } = outbox(10);
  box.emit(event('1'));
  vi.advanceTimersByTime(5);
  expect(posted).toEqual([{ kind: 'events', events: [event('1')] }]);
  box.emit(event('2'));
  vi.advanceTimersByTime(24);
  box.emit(event('3'));
  expect(posted).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(posted.slice(1)).toEqual([{ kind: 'events', events: [event('2'), event('3')] }]);
  vi.advanceTimersByTime(21);
  box.emit(event('4'));
  vi.advanceTimersByTime(5);
  expect(posted.slice(2)).toEqual([{ kind: 'events', events: [event('4')] }]);
});

it('sends what gathered since the last time as one message, and nothing when there is nothing', () => {
  const { posted, box } = outbox(10);
  box.flush();
  box.emit(event('1'));
  box.emit(event('2'));
  box.flush();
  box.flush();
  expect(posted).toEqual([{ kind: 'events', events: [event('1'), event('2')] }]);
});

it('drops and counts what the other side is too slow for, until it has taken some', () => {
  const { posted, box, counters } = outbox(2);
  for (const detail of ['1', '2', '3']) box.emit(event(detail));
  box.flush();
  box.emit(event('4'));
  expect(box.dropped).toBe(2);
  new QueueCounters(counters.shared).takeEvents(2);
  box.emit(event('5'));
  box.flush();
  expect(box.dropped).toBe(2);
  expect(posted).toEqual([
    { kind: 'events', events: [event('1'), event('2')] },
    { kind: 'events', events: [event('5')] },
  ]);
});
