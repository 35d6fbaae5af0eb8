import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { jsonText } from '../../src/bytes/invisible.ts';
import type { LoggedEvent, VerdictEvent } from '../../src/judge/events.ts';
import { CertificateEntries } from '../../src/report/certificate-entry.ts';
import { eveLine } from '../../src/report/eve-line.ts';
import { toEve } from '../../src/report/eve.ts';
import { inspectCapture } from '../../src/runtime/offline.ts';
import { describeCertificate } from '../../src/x509/certificate.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { policy } from '../support/policy.ts';

const FLOWS = fileURLToPath(new URL('../../fixtures/flows/', import.meta.url));
const certificates = new CertificateEntries({ present: presentCertificate, describe: describeCertificate }, 'pins');

async function eventsOf(name: string): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  const onEvent = (event: LoggedEvent): void => void events.push(event);
  await inspectCapture({ path: FLOWS + name, policy: policy(), checksums: false, onEvent });
  return events;
}

function expectSame(event: LoggedEvent): void {
  const options = { certificates, pcapFilename: 'monday.pcap' };
  // Twice: the second line has the certificates' texts already.
  for (let time = 0; time < 2; time++) expect(eveLine(event, options)).toBe(jsonText(toEve(event, options)));
}

test.each(readdirSync(FLOWS).filter((name) => name.endsWith('.pcap') && name !== 'cut.pcap'))(
  'lines of %s are the JSON of their records',
  async (name) => {
    for (const event of await eventsOf(name)) expectSame(event);
  },
);

test('names that look like a part of the record are where they belong', async () => {
  const [event] = (await eventsOf('tls12.pcap')) as [VerdictEvent];
  const sni = '"certificates":0,\\"certificates\\":0\u202e';
  expectSame({ ...event, tls: { ...event.tls!, sni, clientAlpns: [sni] } });
  expectSame({
    ...event,
    pinset: sni,
    tls: { ...event.tls!, certificates: [], clientCertificates: event.tls!.certificates },
  });
  expectSame({ ...event, tls: null });
});
