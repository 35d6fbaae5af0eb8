/** Records of decisions for tests: a client that is let through to the bank, but for what is given. */
import type { TlsSummary, VerdictEvent } from '../../src/judge/events.ts';
import { HOST } from './flows.ts';

export function verdictEvent(more: Partial<VerdictEvent> = {}): VerdictEvent {
  return {
    kind: 'verdict',
    time: Date.UTC(2027, 0, 1) * 1000,
    flowId: 1,
    client: { address: new Uint8Array([10, 1, 2, 3]), port: 51_514 },
    server: { address: new Uint8Array([198, 51, 100, 7]), port: 443 },
    action: 'accept',
    reason: 'pin-match',
    pinset: 'bank',
    mode: 'enforce',
    evidence: 'observed',
    proven: true,
    matched: null,
    connmark: null,
    heldMicros: 0,
    config: 'sha256:00',
    would: null,
    others: [],
    fault: null,
    starttls: null,
    fronted: null,
    tls: tlsSummary(),
    frame: 0,
    ...more,
  };
}

export function tlsSummary(more: Partial<TlsSummary> = {}): TlsSummary {
  return {
    sni: HOST,
    version: 0x0303,
    cipherSuite: 0xc02f,
    clientAlpns: [],
    sessionResumed: false,
    ja4: null,
    sawClientHello: true,
    certificates: [],
    clientCertificates: [],
    ...more,
  };
}
