/** A client's visit to a server that has to be asked for it: it gets its page, and the record says that a probe matched. */
import { expect } from 'vitest';

import { faces, lab, requestTo, scene } from './bank-scene.ts';
import { requestWithCurl } from './peers.ts';

/** `port`: of a server that nobody has asked yet. Who came there is of this visit alone afterwards. */
export async function expectProbed(port: number, version: 4 | 6): Promise<void> {
  scene.begin();
  faces.forget();
  const outcome = await requestWithCurl(lab, 'client', requestTo(port, { host: lab.address('server', version) }));
  expect(outcome).toMatchObject({ error: null });
  expect(await scene.verdict(port)).toMatchObject({ verdict: { action: 'accept', reason: 'probe-match' } });
}
