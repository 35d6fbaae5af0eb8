import { expect, it } from 'vitest';

import { Counters } from '../../../src/engine/counters.ts';
import { QueueCounters } from '../../../src/runtime/queue/counters.ts';

it('what one side publishes the other side reads, through the same memory', () => {
  const writer = new QueueCounters();
  const reader = new QueueCounters(writer.shared);
  const counters = new Counters();
  counters.received = 2 ** 40;
  counters.accepted = 5;
  counters.dropped = 2;
  counters.held = 9;
  counters.rewritten = 1;
  counters.synOptionsRemoved = 8;
  counters.probesRewritten = 12;
  counters.probesPassed = 13;
  counters.midstream = 4;
  counters.limits.records = 7;
  counters.refuse('packet.ip');
  counters.refuse('packet.ip');
  counters.refuse('packet.tcp');
  writer.publishEngine({ counters, heldPackets: 3, flows: 11, bufferedBytes: 4_096 });
  const source = {
    received: 0,
    accepted: 0,
    dropped: 0,
    queueDropped: 21,
    userDropped: 22,
    enobufs: 23,
    verdictErrors: 24,
  };
  writer.publishSource(source);
  writer.publishEventsDropped(6);
  writer.beat();
  writer.beat();
  expect(reader.read()).toMatchObject({
    received: 2 ** 40,
    accepted: 5,
    dropped: 2,
    heldNow: 3,
    held: 9,
    rewritten: 1,
    synOptionsRemoved: 8,
    probesRewritten: 12,
    probesPassed: 13,
    midstream: 4,
    refused: 3,
    flows: 11,
    bufferedBytes: 4_096,
    queueDropped: 21,
    userDropped: 22,
    enobufs: 23,
    verdictErrors: 24,
    eventsDropped: 6,
    heartbeats: 2,
  });
  expect(reader.read().limits).toEqual({ ...new Counters().limits, records: 7 });
});
