/** Of what a process may run out of, and of those who would have it do so. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

import type { Fault } from '../fault.ts';
import { pause } from '../fault.ts';
import { limitFiles, type Stage } from '../stage.ts';

export const OF_RESOURCES: readonly Fault[] = [
  {
    name: 'no-descriptors',
    what: 'no file descriptor is left, and there are some again',
    begin: (stage) => limitFiles(stage.engine.child, 16),
    end: (stage) => limitFiles(stage.engine.child, 1_024),
  },
  {
    name: 'control-flood',
    what: 'a thousand clients at the control socket, which speak nonsense',
    begin: (stage) => {
      const clients = Array.from({ length: 1_000 }, (_, at) => nonsense(stage.lab.path('control'), at));
      flooding.set(stage, clients);
    },
    end: (stage) => {
      for (const client of flooding.get(stage)!) client.destroy();
    },
  },
  {
    name: 'probes-unanswered',
    what: 'the gateway itself reaches no server, and does again',
    isQuick: true,
    config: () => ({ probe: { ttl: 1 } }),
    begin: (stage) => unreachable(stage, 'DROP'),
    end: (stage) => reachable(stage, 'DROP'),
  },
  {
    name: 'probes-refused',
    what: 'servers refuse the gateway itself, and do not any more',
    config: () => ({ probe: { ttl: 1, negativeTtl: 2 } }),
    begin: (stage) => unreachable(stage, 'REJECT --reject-with tcp-reset'),
    end: (stage) => reachable(stage, 'REJECT --reject-with tcp-reset'),
  },
  {
    name: 'server-away',
    what: 'the way to the servers is down, and is up again',
    begin: (stage) => link(stage, 'down'),
    end: (stage) => link(stage, 'up'),
  },
];

const flooding = new WeakMap<Stage, Socket[]>();

function nonsense(path: string, at: number): Socket {
  const socket = connect(path, () =>
    socket.write([GARBAGE, '{"command":"flows"}\n'.repeat(50), 'x'.repeat(3_000)][at % 3]!),
  );
  return socket.on('error', () => {});
}

const GARBAGE = '\x00\xff garbage{{{\n'.repeat(20);

/** What was shown before is forgotten first. */
async function unreachable(stage: Stage, target: string): Promise<void> {
  stage.lab.shell('gateway', `iptables -I OUTPUT -p tcp --dport 443:445 -j ${target}`);
  await pause(3_000);
}

function reachable(stage: Stage, target: string): void {
  stage.lab.shell('gateway', `iptables -D OUTPUT -p tcp --dport 443:445 -j ${target}`);
}

function link(stage: Stage, state: 'up' | 'down'): void {
  stage.lab.shell('gateway', `ip link set ${stage.lab.network.device('gateway', 'server')} ${state}`);
}
