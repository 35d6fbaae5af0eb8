/** Records of the log for tests: a client that is let through to the bank, but for what is given. */
import type { VerdictRecord } from '../../src/report/schema.ts';
import type { LeafOfRecord } from '../../src/runtime/incident/causes.ts';
import { HOST } from './flows.ts';

export const LEAF: LeafOfRecord = {
  subject: 'CN=www.bank.example',
  issuer: 'CN=Honest CA',
  serial: '01',
  not_before: '2026-01-01T00:00:00',
  not_after: '2028-01-01T00:00:00',
  sha1: '00',
  sha256: 'aa',
  spki_sha256: 'key=',
  public_key: null,
};

export interface RecordOptions {
  /** Of 2027. */
  readonly second?: number;
  readonly flow?: number;
  readonly action?: VerdictRecord['verdict']['action'];
  readonly would?: VerdictRecord['verdict']['action'];
  readonly reason?: VerdictRecord['verdict']['reason'];
  readonly mode?: VerdictRecord['verdict']['mode'];
  readonly pinset?: string | null;
  readonly client?: string;
  readonly sni?: string | null;
  /** Null: no certificate was seen. */
  readonly leaf?: LeafOfRecord | null;
}

export function verdictRecord(options: RecordOptions = {}): VerdictRecord {
  const { second = 0, flow = 1, action = 'accept', would, reason = 'pin-match', mode = 'enforce' } = options;
  const { pinset = 'bank', client = '10.1.0.2', sni = HOST, leaf = LEAF } = options;
  const millis = Date.UTC(2027, 0, 1) + second * 1000;
  return {
    event_type: 'verdict',
    timestamp: `${new Date(millis).toISOString().slice(0, -1)}000+0000`,
    flow_id: flow,
    ...{ src_ip: client, src_port: 51_514, dest_ip: '198.51.100.7', dest_port: 443, proto: 'TCP', app_proto: 'tls' },
    verdict: {
      ...{ action, reason, pinset, mode, evidence: 'observed', matched: null, connmark: null, held_us: 0 },
      config: 'sha256:00',
      ...(would === undefined ? {} : { would }),
    },
    tls: {
      ...(sni === null ? {} : { sni }),
      version: 'TLS 1.2',
      session_resumed: false,
      certificates: leaf === null ? [] : [leaf],
    },
  };
}
