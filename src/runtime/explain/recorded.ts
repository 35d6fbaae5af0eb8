/**
 * A decision explained by its record in the log, when the engine that made it has forgotten it or is gone: with the
 * certificates themselves where the log keeps them, and otherwise by the digests that every record has, which compare
 * with pins and say nothing of a path.
 */
import ipaddr from 'ipaddr.js';

import type { Endpoint, TlsSummary, VerdictEvent } from '../../judge/events.ts';
import { isUsable } from '../../pins/match/usable.ts';
import type { CompiledPin, Policy } from '../../pins/policy.ts';
import { millisOf, tlsVersionOf } from '../../report/eve.ts';
import type { VerdictRecord } from '../../report/schema.ts';
import type { PresentedCertificate } from '../../x509/presented.ts';
import { type ComparedPin, isPinOf } from './comparison.ts';
import { explain, type Explanation, type ExplainedCertificate } from './explanation.ts';

export interface Recorded {
  readonly explanation: Explanation;
  /** Whether the record has the certificates themselves. */
  readonly isWhole: boolean;
}

/** `policy`: the one that decided, as far as it can still be had. */
export function explainRecord(record: VerdictRecord, policy: Policy): Recorded {
  const entries = record.tls?.certificates ?? [];
  const isWhole = entries.every(({ der }) => der !== undefined);
  const explanation = explain(eventOf(record, isWhole), policy);
  if (isWhole) return { explanation, isWhole };
  const certificates = entries.map(certificateOf);
  const chain = entries.map(presentedOf);
  const nowMs = millisOf(record.timestamp);
  const judged = explanation.judged.map((one) => {
    const pins = policy.pinsets.find(({ name }) => name === one.pinset)?.pins ?? [];
    return { ...one, pins: pins.map((pin) => compared(pin, chain, record.verdict.matched, nowMs)) };
  });
  return { explanation: { ...explanation, certificates, judged }, isWhole };
}

function compared(
  pin: CompiledPin,
  chain: readonly PresentedCertificate[],
  matched: string | null,
  nowMs: number,
): ComparedPin {
  const equals = chain.flatMap((certificate, index) => (isPinOf(pin, certificate) ? [index] : []));
  const { canonical, at, role } = pin;
  const counts = canonical === matched || (equals.includes(0) && at !== 'ca' && isUsable(pin, nowMs));
  const isUnknown = pin.kind.endsWith('-sha512') || (!counts && equals.length > 0);
  return { pin: canonical, at, role, equals, counts, but: isUnknown ? UNKNOWN : null };
}

function eventOf(record: VerdictRecord, isWhole: boolean): VerdictEvent {
  const { verdict, tls, app_proto: protocol } = record;
  return {
    kind: 'verdict',
    time: millisOf(record.timestamp) * 1000,
    flowId: record.flow_id,
    client: endpointOf(record.src_ip, record.src_port),
    server: endpointOf(record.dest_ip, record.dest_port),
    ...(protocol === 'quic' || protocol === 'dtls' ? { datagrams: protocol } : {}),
    action: verdict.action,
    reason: verdict.reason,
    pinset: verdict.pinset,
    mode: verdict.mode,
    evidence: verdict.evidence,
    matched: verdict.matched,
    connmark: null,
    heldMicros: verdict.held_us,
    config: verdict.config,
    allowedBy: verdict.allowed_by ?? null,
    would: verdict.would ?? null,
    others: verdict.others ?? [],
    fault: verdict.fault ?? null,
    starttls: verdict.starttls ?? null,
    fronted: verdict.fronted ?? null,
    tls: tls === undefined ? null : summaryOf(tls, isWhole),
    frame: record.pcap_cnt ?? 0,
  };
}

function summaryOf(tls: NonNullable<VerdictRecord['tls']>, isWhole: boolean): TlsSummary {
  return {
    sni: tls.sni ?? null,
    version: tlsVersionOf(tls.version),
    cipherSuite: 0,
    clientAlpns: tls.client_alpns ?? [],
    sessionResumed: tls.session_resumed,
    ja4: tls.ja4 ?? null,
    sawClientHello: tls.sni !== undefined || tls.ja4 !== undefined,
    certificates: isWhole ? tls.certificates.map(({ der = '' }) => Buffer.from(der, 'base64')) : [],
    clientCertificates: [],
  };
}

function endpointOf(address: string, port: number): Endpoint {
  return { address: Uint8Array.from(ipaddr.parse(address).toByteArray()), port };
}

type Entry = NonNullable<VerdictRecord['tls']>['certificates'][number];

function certificateOf({ subject, issuer, not_before, not_after, sha1, sha256, spki_sha256 }: Entry) {
  return {
    subject,
    issuer,
    not_before,
    not_after,
    names: [],
    sha1,
    sha256,
    spki_sha256,
  } satisfies ExplainedCertificate;
}

function presentedOf({ sha1, sha256, spki_sha256: spki, public_key: key }: Entry): PresentedCertificate {
  const spkiSha256 = spki === null ? null : Buffer.from(spki, 'base64').toString('hex');
  return { der: new Uint8Array(), sha1, sha256, spki: null, spkiSha256, key };
}

const UNKNOWN = 'whether it counts there takes the certificates themselves, which the record does not have';
