/**
 * The entry of a packet thread: one queue, one engine, one wire to the main thread. Loads nothing of the control plane
 * (schema, command line, log, metrics, certificate libraries).
 */
import { parentPort, workerData } from 'node:worker_threads';

import { Engine } from '../../engine/engine.ts';
import type { Policy } from '../../pins/policy.ts';
import { PinsetSnapshot } from '../../pins/match/snapshot.ts';
import { loadBinding } from '../../source/binding.ts';
import { NfqueueSource } from '../../source/nfqueue.ts';
import { verifyServerKeyExchange } from '../../x509/proof.ts';
import { giveBackStart } from '../garbage.ts';
import { BridgeSockets } from '../probing/bridging.ts';
import { DialledMemory } from '../probing/dialled.ts';
import { ownedConnmarkBits } from '../rules/connmark-mask.ts';
import { QueueCounters } from './counters.ts';
import type { FromQueue, Port, QueueSetup, ToQueue } from './messages.ts';
import { QueueLoop } from './loop.ts';
import { LiveClock } from '../live-clock.ts';

const port = parentPort!;
const out: Port<FromQueue> = port;
const { queueNum, numbering, counters, watch, isHanded, dialled, bridging } = workerData as QueueSetup;
const clock = new LiveClock();
const { source, loop } = prepared();

port.on('message', (message: ToQueue) => {
  if (message.kind === 'begin') return void start(() => loop.onMessage(message));
  void loop.onMessage(message).then(() => {
    if (message.kind === 'stop') port.close();
  });
});

await giveBackStart();
if (isHanded) out.postMessage({ kind: 'prepared' });
else await start(() => loop.start());

async function start(begin: () => Promise<void>): Promise<void> {
  try {
    await begin();
    out.postMessage({ kind: 'started', route: source.route });
  } catch (error) {
    out.postMessage({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    port.close();
  }
}

/** What it begins with is not kept in sight: it goes when another policy takes its place. */
function prepared(): { readonly source: NfqueueSource; readonly loop: QueueLoop } {
  const setup = workerData as { policy?: QueueSetup['policy'] };
  const snapshot = PinsetSnapshot.of(setup.policy!);
  delete setup.policy;
  const source = sourceFor(snapshot.policy);
  return { source, loop: loopFor(source, snapshot) };
}

function sourceFor(policy: Policy): NfqueueSource {
  return new NfqueueSource({
    queueNum,
    connmarkMask: ownedConnmarkBits(policy),
    toldBit: policy.connmark.told,
    route: policy.connmark.route,
    failOpen: policy.failOpen,
    // What waits for a logged secret is cut off its packet.
    gso: policy.keylog.file === null && policy.keylog.socket === null,
    now: () => clock.now(),
  });
}

function loopFor(source: NfqueueSource, snapshot: PinsetSnapshot): QueueLoop {
  const { policy } = snapshot;
  return new QueueLoop({
    source,
    logBacklog: policy.limits.logBacklog,
    probe: policy.probe,
    port: out,
    counters: new QueueCounters(counters),
    createEngine: (parts) =>
      new Engine({
        ...parts,
        policy,
        snapshot,
        clock,
        proves: verifyServerKeyExchange,
        live: true,
        numbering,
        dialled: dialled && new DialledMemory(dialled),
        bridge: bridging && new BridgeSockets(loadBinding(), bridging),
        watch,
      }),
  });
}
