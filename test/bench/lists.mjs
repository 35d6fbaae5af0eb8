/**
 * How long a packet thread stands still when a list of 100,000 entries that a pinset denies changes, in one entry or in
 * all of them: told as a policy, whose indexes it builds, and told as a difference. In a thread of its own, which looks
 * at the clock all the time: what counts is the longest time that it did not, the message's arrival included.
 */
import { Worker, isMainThread, parentPort } from 'node:worker_threads';

import { packPolicy } from '../../dist/pins/match/pack.js';
import { loadPolicy } from '../../dist/pins/load.js';
import { PinsetSnapshot } from '../../dist/pins/match/snapshot.js';

const ENTRIES = 100_000;

/** `kind`: `change`, of one entry; `reload`, with other entries. */
export async function measureLists(kind, { rounds }) {
  const thread = new Worker(new URL(import.meta.url));
  const answers = [];
  let wake = () => {};
  thread.on('message', (stall) => {
    answers.push(stall);
    wake();
  });
  const stallOf = async (message) => {
    thread.postMessage(message);
    while (answers.length === 0) await new Promise((resolve) => (wake = resolve));
    return answers.shift();
  };
  const values = { policy: [], difference: [] };
  // Round 0 only warms up.
  let first = 0;
  let { packed, change } = packPolicy(policyOf(first));
  await stallOf({ change });
  for (let round = 0; round <= rounds; round++) {
    first += kind === 'change' ? 1 : ENTRIES;
    const policy = policyOf(first);
    ({ packed, change } = packPolicy(policy, packed));
    const whole = () => stallOf({ policy });
    const difference = () => stallOf({ change });
    const sides = round % 2 === 0 ? [whole, difference] : [difference, whole];
    for (const side of sides) {
      const stall = await side();
      if (round > 0) values[side === whole ? 'policy' : 'difference'].push(stall);
    }
  }
  await thread.terminate();
  const ratios = values.difference.map((stall, round) => stall / values.policy[round]);
  // Whatever else the machine does only adds to them.
  const least = { policy: Math.min(...values.policy), difference: Math.min(...values.difference) };
  return { ratios, measured: least.difference / least.policy, values: least, outcomes: {} };
}

/** Its list has the entries from `first` on. */
function policyOf(first) {
  const lines = Array.from({ length: ENTRIES }, (_, n) => `${(first + n).toString(16).padStart(40, '0')}\n`);
  const document = {
    version: 1,
    lists: { 0: { file: '0.list' } },
    pinsets: [{ name: 'bad', match: { addresses: ['0.0.0.0/0'] }, deny: ['@0'] }],
  };
  const read = (path) => ({
    bytes: Buffer.from(path.endsWith('.list') ? lines.join('') : JSON.stringify(document)),
    modifiedMs: Date.now(),
  });
  const loaded = loadPolicy('/tlspin.json', read);
  if ('errors' in loaded) throw new Error(loaded.errors[0].text);
  return loaded.policy;
}

/** The thread: milliseconds that each message has kept it from looking at the clock. */
function standBy() {
  let snapshot;
  let looked = performance.now();
  let stall = 0;
  let isAsked = false;
  const look = () => {
    const now = performance.now();
    stall = Math.max(stall, now - looked);
    looked = now;
    if (isAsked) {
      isAsked = false;
      parentPort.postMessage(stall);
      stall = 0;
    }
    setImmediate(look);
  };
  parentPort.on('message', ({ policy, change }) => {
    if (policy !== undefined) new PinsetSnapshot(policy);
    else snapshot = snapshot === undefined ? PinsetSnapshot.of(change) : snapshot.changed(change);
    isAsked = true;
  });
  look();
}

if (!isMainThread && parentPort !== null) standBy();
