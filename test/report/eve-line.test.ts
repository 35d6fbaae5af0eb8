import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { jsonText } from '../../src/bytes/invisible.ts';
import type { LoggedEvent, VerdictEvent } from '../../src/judge/events.ts';
import { CertificateEntries } from '../../src/report/certificate-entry.ts';
import { EveLines, eveLine } from '../../src/report/eve-line.ts';
import { toEve } from '../../src/report/eve.ts';
import { inspectCapture } from '../../src/runtime/offline.ts';
import { describeCertificate } from '../../src/x509/certificate.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { policy } from '../support/policy.ts';
import { tlsSummary, verdictEvent } from '../support/verdict-event.ts';

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

describe('lines of events that share a summary', () => {
  const names = new Map([
    [2, 'lan0'],
    [3, 'wan0'],
  ]);
  const options = {
    certificates,
    machine: { host: 'gateway', interfaceName: (ifindex: number) => names.get(ifindex) },
  };
  const lines = new EveLines(options);
  const expectRecord = (event: LoggedEvent) => expect(lines.lineOf(event)).toBe(jsonText(toEve(event, options)));

  test('follow each field that changes, and go back with it', async () => {
    const [{ tls }] = (await eventsOf('tls12.pcap')) as [VerdictEvent];
    const event = { ...verdictEvent({ tls }), inIfindex: 2, outIfindex: 3, tookMicros: 5.5 };
    const changed: Required<VerdictEvent> = {
      kind: 'verdict',
      time: 1_796_000_000_123_456,
      flowId: 15_000_000_000_001,
      client: { address: Uint8Array.of(10, 9, 8, 7), port: 1 },
      server: { address: Uint8Array.of(192, 0, 2, 1), port: 2 },
      datagrams: 'quic',
      action: 'drop',
      reason: 'pin-mismatch',
      pinset: '"timestamp":0',
      mode: 'report-only',
      evidence: 'probed',
      proven: false,
      matched: '"held_us":0\u202e',
      connmark: { value: 1, mask: 3 },
      packets: 7,
      heldMicros: 8,
      tookMicros: 9,
      milestones: ['client', 1, 0],
      inIfindex: 0,
      outIfindex: 2,
      config: 'sha256:01',
      allowedBy: 'tls13',
      would: 'reset',
      others: [{ pinset: 'other', reason: 'pin-mismatch', would: 'reset' }],
      rules: [{ index: 0, list: '0', entry: null }],
      fault: 'tls.record.type',
      starttls: 'smtp',
      fronted: 'front.example',
      tls: tlsSummary({ sni: 'other.example' }),
      gaps: ['client'],
      frame: 12,
    };
    for (const name of Object.keys(changed) as (keyof VerdictEvent)[]) {
      for (const each of [event, { ...event, [name]: changed[name] }, event]) expectRecord(each);
    }
    const [client, server] = [0xfe, 0x20].map((octet) => ({ address: new Uint8Array(16).fill(octet), port: 443 }));
    expectRecord({ ...event, client: client!, server: server! });
    expectRecord({ ...event, tookMicros: undefined });
    expectRecord(event);
  });

  test('name interfaces as they are called', () => {
    const event = verdictEvent({ inIfindex: 2, outIfindex: 3 });
    expectRecord(event);
    names.set(3, '"flow_id":0');
    expectRecord(event);
    names.delete(3);
    expectRecord(event);
  });

  test('tell of no TLS, and of what is no verdict', () => {
    expectRecord(verdictEvent({ tls: null, packets: 3 }));
    expectRecord({
      kind: 'anomaly',
      code: 'learn.full',
      detail: 'full',
      time: 1,
      flowId: 0,
      client: null,
      server: null,
    });
  });
});
