/** Of what the kernel does for the engine: rules, queue, conntrack. */
import { floodWithSegments } from '../../support/lab/segment-flood.ts';
import type { Fault } from '../fault.ts';
import { SPARE_PORT } from '../stage.ts';

export const OF_THE_KERNEL: readonly Fault[] = [
  {
    name: 'rules-flushed',
    what: 'somebody takes the rules away, and they are applied again',
    isQuick: true,
    begin: async (stage) => {
      stage.removeRules();
      await stage.engine.child.says(/\(rules\.none\)/, 30_000);
    },
    end: async (stage) => {
      stage.applyRules();
      // Connections that are open are given the accept mark.
      await stage.engine.child.says(/\(marks\.given\)/, 30_000);
    },
  },
  {
    name: 'rules-applied-often',
    what: 'the rules are applied five times over',
    begin: (stage) => {
      for (let times = 0; times < 5; times++) stage.applyRules();
    },
  },
  {
    name: 'conntrack-flushed',
    what: 'conntrack forgets all connections',
    isQuick: true,
    begin: (stage) => void stage.lab.shell('gateway', 'conntrack -F 2>/dev/null'),
  },
  {
    name: 'queue-overrun',
    what: 'the engine is frozen, and the queue full',
    begin: async (stage) => {
      stage.signal('SIGSTOP');
      await floodWithSegments(stage.lab, { kind: 'syn', port: SPARE_PORT, count: 10_000, rate: 20_000 });
    },
    end: (stage) => stage.signal('SIGCONT'),
    within: 10,
  },
];
