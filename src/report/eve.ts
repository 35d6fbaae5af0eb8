/**
 * Flow events as records of the verdict log: names and formats as in Suricata's EVE where the meaning is the same, ours
 * where it has none. Pure; nothing here writes.
 */
import ipaddr from 'ipaddr.js';

import type { AnomalyEvent, Endpoint, LoggedEvent, TlsSummary, VerdictEvent } from '../engine/events.ts';
import { cipherSuiteName } from '../tls/cipher-suites.ts';
import type { CertificateEntries, CertificateEntry } from './certificate-entry.ts';

export interface EveOptions {
  readonly certificates: CertificateEntries;
  /** Offline: the capture as it was named on the command line. */
  readonly pcapFilename?: string | undefined;
}

export type EventType = 'verdict' | 'anomaly' | 'stats' | 'config';

export type EveRecord = { readonly event_type: EventType } & Fields;

type Fields = Readonly<Record<string, unknown>>;

export function toEve(event: LoggedEvent, options: EveOptions): EveRecord {
  return event.kind === 'verdict' ? verdictRecord(event, options) : anomalyRecord(event, options);
}

function verdictRecord(event: VerdictEvent, options: EveOptions): EveRecord {
  return {
    ...head('verdict', event, options),
    ...endpoints(event.client, event.server),
    proto: event.datagrams === undefined ? 'TCP' : 'UDP',
    ...(event.tls === null && event.datagrams === undefined ? {} : { app_proto: event.datagrams ?? 'tls' }),
    ...(event.frame === 0 ? {} : { pcap_cnt: event.frame }),
    verdict: {
      action: event.action,
      reason: event.reason,
      pinset: event.pinset,
      mode: event.mode,
      evidence: event.evidence,
      matched: event.matched,
      connmark: event.connmark === null ? null : `${hex32(event.connmark.value)}/${hex32(event.connmark.mask)}`,
      held_us: event.heldMicros,
      config: event.config,
      ...(event.would === null ? {} : { would: event.would }),
      ...(event.others.length === 0 ? {} : { others: event.others }),
      ...(event.fault === null ? {} : { fault: event.fault }),
      ...(event.starttls === null ? {} : { starttls: event.starttls }),
    },
    ...(event.tls === null ? {} : { tls: tlsObject(event.tls, options.certificates) }),
  };
}

function anomalyRecord(event: AnomalyEvent, options: EveOptions): EveRecord {
  return {
    ...head('anomaly', event, options),
    ...(event.client === null || event.server === null ? {} : endpoints(event.client, event.server)),
    anomaly: { event: event.code, detail: event.detail },
  };
}

function head(eventType: EventType, event: LoggedEvent, options: EveOptions): EveRecord {
  return {
    event_type: eventType,
    timestamp: timestamp(event.time),
    flow_id: event.flowId,
    ...(options.pcapFilename === undefined ? {} : { pcap_filename: options.pcapFilename }),
  };
}

function endpoints(client: Endpoint, server: Endpoint): Fields {
  return {
    src_ip: addressText(client.address),
    src_port: client.port,
    dest_ip: addressText(server.address),
    dest_port: server.port,
  };
}

function tlsObject(tls: TlsSummary, entries: CertificateEntries): Fields {
  const certificates = tls.certificates.map((der) => entries.entryOf(der));
  const [leaf] = certificates;
  return {
    ...(tls.sni === null ? {} : { sni: tls.sni }),
    version: tlsVersionName(tls.version),
    ...(tls.cipherSuite === 0 ? {} : { cipher: cipherSuiteName(tls.cipherSuite) ?? hex16(tls.cipherSuite) }),
    ...(tls.clientAlpns.length === 0 ? {} : { client_alpns: tls.clientAlpns }),
    session_resumed: tls.sessionResumed,
    ...(leaf === undefined ? {} : leafFields(leaf)),
    ...(tls.ja4 === null ? {} : { ja4: tls.ja4 }),
    certificates,
    ...(tls.clientCertificates.length === 0
      ? {}
      : { client_certificates: tls.clientCertificates.map((der) => entries.entryOf(der)) }),
  };
}

/** What EVE says of the server's own certificate. */
function leafFields(leaf: CertificateEntry): Fields {
  return {
    subject: leaf.subject,
    issuerdn: leaf.issuer,
    serial: leaf.serial,
    fingerprint: leaf.sha1.replace(/(..)(?=.)/g, '$1:'),
    notbefore: leaf.not_before,
    notafter: leaf.not_after,
  };
}

/** As EVE names versions; drafts of 1.3 carry their number (0x7fNN); null when it is not known. */
export function tlsVersionName(version: number): string | null {
  if (version === 0) return null;
  // Drafts have versions of their own, and Facebook's before the final one too.
  if (version >>> 8 === 0xfb) return `TLS 1.3 fb${version & 0xff}`;
  if (version >>> 8 === 0x7f) return `TLS 1.3 draft-${version & 0xff}`;
  return VERSIONS.get(version) ?? hex16(version);
}

/** A record that is of no flow: `config` and `stats`, under a key of that name. */
export function recordOf(eventType: 'config' | 'stats', micros: number, fields: Fields): EveRecord {
  return { event_type: eventType, timestamp: timestamp(micros), [eventType]: fields };
}

/** Microseconds since the epoch as `2026-11-21T19:31:36.120123+0000`. */
export function timestamp(micros: number): string {
  const millis = Math.floor(micros / 1000);
  const rest = String(Math.floor(micros) - millis * 1000).padStart(3, '0');
  return `${new Date(millis).toISOString().slice(0, -1)}${rest}+0000`;
}

/** RFC 5952. */
export function addressText(address: Uint8Array): string {
  const parsed = ipaddr.fromByteArray([...address]);
  return parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString();
}

function hex32(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
}

function hex16(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}

const VERSIONS: ReadonlyMap<number, string> = new Map([
  [0x0002, 'SSLv2'],
  [0x0300, 'SSLv3'],
  [0x0301, 'TLSv1'],
  [0x0302, 'TLS 1.1'],
  [0x0303, 'TLS 1.2'],
  [0x0304, 'TLS 1.3'],
  [0x0100, 'DTLS 0.9'],
  [0xfeff, 'DTLS 1.0'],
  [0xfefd, 'DTLS 1.2'],
  [0xfefc, 'DTLS 1.3'],
]);
