import { hash } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import type { TlsSummary, VerdictEvent } from '../../src/judge/events.ts';
import { CertificateEntries } from '../../src/report/certificate-entry.ts';
import { addressText, timestamp, tlsVersionName, toEve } from '../../src/report/eve.ts';
import type { CertificateDescription } from '../../src/x509/certificate.ts';

const LEAF = Buffer.from('leaf');
const ISSUER = Buffer.from('issuer');
const UNREADABLE = Buffer.from('unreadable');
const DESCRIPTION: CertificateDescription = {
  subject: 'CN=www.bank.example',
  issuer: 'CN=Bank CA',
  serial: '01:AB',
  commonName: 'www.bank.example',
  notBefore: '1965-01-02T03:04:05',
  notAfter: '2049-12-31T23:59:59',
};
const UNKNOWN: CertificateDescription = {
  subject: null,
  issuer: null,
  serial: null,
  commonName: null,
  notBefore: null,
  notAfter: null,
};

let described = 0;
function entries(log: 'pins' | 'full' = 'pins'): CertificateEntries {
  return new CertificateEntries(
    {
      present: (der) => ({
        der,
        sha1: hash('sha1', der, 'hex'),
        sha256: hash('sha256', der, 'hex'),
        spki: null,
        spkiSha256: der === UNREADABLE ? null : '00ff'.repeat(16),
        key: der === UNREADABLE ? null : 'rsa:c0ffee',
      }),
      describe: (der) => {
        described++;
        return der === UNREADABLE ? UNKNOWN : DESCRIPTION;
      },
    },
    log,
  );
}

const TLS: TlsSummary = {
  sni: 'www.bank.example',
  version: 0x0303,
  cipherSuite: 0xc02f,
  clientAlpns: ['h2', 'http/1.1'],
  sessionResumed: false,
  ja4: 't12d010100_e3b0c44298fc_1c9ff1e4d3a1',
  sawClientHello: false,
  certificates: [LEAF, ISSUER],
  clientCertificates: [],
};

const EVENT: VerdictEvent = {
  kind: 'verdict',
  time: Date.UTC(2026, 10, 21, 19, 31, 36) * 1000 + 120_123,
  flowId: 1_387_462,
  client: { address: Buffer.from([10, 1, 2, 3]), port: 51_514 },
  server: { address: Buffer.from([198, 51, 100, 7]), port: 443 },
  action: 'tls-alert',
  reason: 'pin-mismatch',
  pinset: 'bank',
  mode: 'enforce',
  evidence: 'observed',
  matched: null,
  connmark: { value: 0x40000000, mask: 0x60000000 },
  heldMicros: 412,
  config: 'sha256:3f9c',
  would: null,
  others: [],
  fault: null,
  starttls: null,
  fronted: null,
  tls: TLS,
  frame: 0,
};

test('a verdict, field by field', () => {
  expect(toEve(EVENT, { certificates: entries() })).toEqual({
    timestamp: '2026-11-21T19:31:36.120123+0000',
    event_type: 'verdict',
    flow_id: 1_387_462,
    src_ip: '10.1.2.3',
    src_port: 51_514,
    dest_ip: '198.51.100.7',
    dest_port: 443,
    proto: 'TCP',
    app_proto: 'tls',
    verdict: {
      action: 'tls-alert',
      reason: 'pin-mismatch',
      pinset: 'bank',
      mode: 'enforce',
      evidence: 'observed',
      matched: null,
      connmark: '0x40000000/0x60000000',
      held_us: 412,
      config: 'sha256:3f9c',
    },
    tls: {
      sni: 'www.bank.example',
      version: 'TLS 1.2',
      cipher: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      client_alpns: ['h2', 'http/1.1'],
      session_resumed: false,
      subject: 'CN=www.bank.example',
      issuerdn: 'CN=Bank CA',
      serial: '01:AB',
      fingerprint: hash('sha1', LEAF, 'hex').match(/../g)!.join(':'),
      notbefore: '1965-01-02T03:04:05',
      notafter: '2049-12-31T23:59:59',
      ja4: 't12d010100_e3b0c44298fc_1c9ff1e4d3a1',
      certificates: [LEAF, ISSUER].map((der) => ({
        subject: 'CN=www.bank.example',
        issuer: 'CN=Bank CA',
        serial: '01:AB',
        not_before: '1965-01-02T03:04:05',
        not_after: '2049-12-31T23:59:59',
        sha1: hash('sha1', der, 'hex'),
        sha256: hash('sha256', der, 'hex'),
        spki_sha256: Buffer.from('00ff'.repeat(16), 'hex').toString('base64'),
        public_key: 'rsa:c0ffee',
      })),
    },
  });
});

describe('what only some verdicts have', () => {
  const verdict = (change: Partial<VerdictEvent>): Record<string, unknown> =>
    toEve({ ...EVENT, ...change }, { certificates: entries() }).verdict as Record<string, unknown>;

  test('what enforce had done, other pinsets, the fault, the preamble', () => {
    const others = [{ pinset: 'address', reason: 'pin-match', would: 'accept' }] as const;
    const change = { would: 'tls-alert', others, fault: 'tls.record.overflow', starttls: 'smtp' } as const;
    expect(verdict({ action: 'accept', mode: 'report-only', ...change })).toMatchObject(change);
  });

  test('no connmark where none was written', () => {
    expect(verdict({ connmark: null }).connmark).toBeNull();
  });

  test('offline, the capture and the frame', () => {
    const record = toEve({ ...EVENT, frame: 7 }, { certificates: entries(), pcapFilename: 'a/b.pcap' });
    expect(record).toMatchObject({ pcap_filename: 'a/b.pcap', pcap_cnt: 7 });
  });

  test('a flow that was never TLS has no TLS object', () => {
    const record = toEve({ ...EVENT, tls: null, reason: 'not-tls' }, { certificates: entries() });
    expect(record).not.toHaveProperty('tls');
    expect(record).not.toHaveProperty('app_proto');
  });
});

describe('certificates', () => {
  const tls = (change: Partial<TlsSummary>, log?: 'full'): Record<string, unknown> =>
    toEve({ ...EVENT, tls: { ...TLS, ...change } }, { certificates: entries(log) }).tls as Record<string, unknown>;

  test('a client’s own list has its own place', () => {
    expect(tls({ clientCertificates: [ISSUER] }).client_certificates).toMatchObject([
      { sha256: hash('sha256', ISSUER, 'hex') },
    ]);
    expect(tls({})).not.toHaveProperty('client_certificates');
  });

  test('one that no library reads keeps its digests', () => {
    const { certificates, subject } = tls({ certificates: [UNREADABLE] });
    expect(subject).toBeNull();
    expect(certificates).toEqual([
      {
        subject: null,
        issuer: null,
        serial: null,
        not_before: null,
        not_after: null,
        sha1: hash('sha1', UNREADABLE, 'hex'),
        sha256: hash('sha256', UNREADABLE, 'hex'),
        spki_sha256: null,
        public_key: null,
      },
    ]);
  });

  test('a cipher suite without a name is its number', () => {
    expect(tls({ cipherSuite: 0xacad }).cipher).toBe('0xacad');
    expect(tls({ cipherSuite: 0 })).not.toHaveProperty('cipher');
  });

  test('the DER only where it is asked for', () => {
    expect(tls({}, 'full').certificates).toMatchObject([{ der: LEAF.toString('base64') }, {}]);
    expect((tls({}).certificates as object[])[0]).not.toHaveProperty('der');
  });

  test('are read once while they are seen often', () => {
    const shared = entries();
    described = 0;
    for (let times = 0; times < 10; times++) shared.entryOf(LEAF);
    expect(described).toBe(1);
  });
});

test('an anomaly', () => {
  const anomaly = {
    kind: 'anomaly',
    time: 0,
    flowId: 0,
    client: null,
    server: null,
    code: 'learn.full',
    detail: 'z',
  } as const;
  expect(toEve(anomaly, { certificates: entries() })).toEqual({
    timestamp: '1970-01-01T00:00:00.000000+0000',
    event_type: 'anomaly',
    flow_id: 0,
    anomaly: { event: 'learn.full', detail: 'z' },
  });
});

test.each([
  [0x0002, 'SSLv2'],
  [0x0300, 'SSLv3'],
  [0x0301, 'TLSv1'],
  [0x0302, 'TLS 1.1'],
  [0x0303, 'TLS 1.2'],
  [0x0304, 'TLS 1.3'],
  [0x7f17, 'TLS 1.3 draft-23'],
  [0xfb1a, 'TLS 1.3 fb26'],
  [0x0305, '0x0305'],
  [0, null],
])('version %i is %s', (version, name) => {
  expect(tlsVersionName(version)).toBe(name);
});

test('times have microseconds, whatever a double makes of them', () => {
  expect(timestamp(1_795_289_496_120_123)).toBe('2026-11-21T19:31:36.120123+0000');
  expect(timestamp(999_999)).toBe('1970-01-01T00:00:00.999999+0000');
  expect(timestamp(1_000_000)).toBe('1970-01-01T00:00:01.000000+0000');
});

test('addresses are written as RFC 5952 says', () => {
  const v6 = (hex: string): string => addressText(Buffer.from(hex, 'hex'));
  expect(addressText(Buffer.from([192, 0, 2, 1]))).toBe('192.0.2.1');
  expect(v6('20010db8000000000000000000000001')).toBe('2001:db8::1');
  expect(v6('20010db8000100000000000100000001')).toBe('2001:db8:1::1:0:1');
  expect(v6('00000000000000000000000000000000')).toBe('::');
});

test('of a running engine: the machine, its interfaces, and what others call the flow', () => {
  const machine = { host: 'gw1', interfaceName: (ifindex: number) => (ifindex === 2 ? 'eth0' : undefined) };
  const event = { ...EVENT, inIfindex: 2, outIfindex: 9, tookMicros: 1_200 };
  const record = toEve(event, { certificates: entries(), machine });
  expect(record).toMatchObject({ host: 'gw1', in_iface: 'eth0', verdict: { took_us: 1_200 } });
  expect(record).toMatchObject({ community_id: expect.stringMatching(/^1:.{28}$/) as string });
  expect(Object.keys(record)).not.toContain('out_iface');
  expect(Object.keys(toEve(event, { certificates: entries() }))).not.toContain('host');
});
