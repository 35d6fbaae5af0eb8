/**
 * A gateway's end of a fleet's decisions without a gateway: the built program's own way from a decision to the stream, and
 * as many decisions a second as are asked for. Takes a JSON argument:
 * { servers, nkey, gateway, folder, key, from, count, perSecond }. Says `settled N` when all up to N are on disk, and
 * `shared, N lost` when all have arrived.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { NatsBroker } from '../../../dist/fleet/nats/broker.js';
import { readFleetKey } from '../../../dist/runtime/fleet/fleet-key.js';
import { VerdictSharing } from '../../../dist/runtime/fleet/verdict-sharing.js';

const { servers, nkey, gateway, folder, key, from, count, perSecond } = JSON.parse(process.argv[2]);
const broker = new NatsBroker({ servers, name: gateway, nkey: readFileSync(nkey, 'utf8') });
const say = (line) => process.stdout.write(`${line}\n`);
const sharing = new VerdictSharing({
  ...{ fleet: 'office', gateway, key: readFleetKey(key)('verdicts'), share: 'verdicts', folder, most: 1e8 },
  recordOf: ({ flowId }) => recordOf(flowId),
  protection: { begin: (...of) => say(of.join(' ')), end: () => {}, notice: (...of) => say(of.join(' ')) },
});
sharing.start(broker);

let taken = 0;
let settled = 0;
const began = performance.now();
while (taken < count) {
  await sleep(10);
  const due = Math.min(count, Math.floor(((performance.now() - began) / 1000) * perSecond));
  for (; taken < due; taken++) sharing.take({ flowId: from + taken, action: 'accept', would: null });
  if (taken - settled < perSecond / 2 && taken < count) continue;
  settled = taken;
  await sharing.settle();
  say(`settled ${from + settled - 1}`);
}
while (sharing.counts.waiting > 0) await sleep(50);
say(`shared, ${sharing.counts.lost} lost`);
await sharing.stop();
await broker.close();

/** As long as those of a log. */
function recordOf(flowId) {
  const certificates = [
    { subject: 'CN=www.bank.example', sha256: 'a'.repeat(64), spki_sha256: `${flowId}`.padEnd(43, 'b') },
  ];
  return {
    event_type: 'verdict',
    timestamp: new Date().toISOString().replace('Z', '000+0000'),
    flow_id: flowId,
    ...{ src_ip: '10.1.2.3', src_port: 51_514, dest_ip: '198.51.100.7', dest_port: 443, proto: 'TCP' },
    verdict: { action: 'accept', reason: 'pin-match', pinset: 'bank', mode: 'enforce', evidence: 'observed' },
    tls: { sni: 'www.bank.example', version: 'TLS 1.2', session_resumed: false, certificates },
  };
}
