/**
 * Flow events as records of the verdict log: names and formats as in Suricata's EVE where the meaning is the same, ours
 * where it has none. Pure; nothing here writes.
 */
import ipaddr from 'ipaddr.js';

import type { AnomalyEvent, Endpoint, LoggedEvent, TlsSummary, VerdictEvent } from '../judge/events.ts';
import type { RuleMatch } from '../pins/match/match.ts';
import { cipherSuiteName } from '../tls/cipher-suites.ts';
import { communityId } from './community-id.ts';
import type { CertificateEntries, CertificateEntry } from './certificate-entry.ts';

export interface EveOptions {
  readonly certificates: CertificateEntries;
  /** Offline: the capture as it was named on the command line. */
  readonly pcapFilename?: string | undefined;
  /** Where the engine runs; absent for captures, which are the same everywhere. */
  readonly machine?: Machine | undefined;
}

export interface Machine {
  readonly host: string;
  /** Undefined where there is no such interface. */
  readonly interfaceName: (ifindex: number) => string | undefined;
}

export type EventType = 'verdict' | 'anomaly' | OfNoFlow;

/** Their fields are under a key of that name. */
export type OfNoFlow = 'start' | 'stop' | 'config' | 'answer' | 'stats';

export type EveRecord = { readonly event_type: EventType } & Fields;

type Fields = Readonly<Record<string, unknown>>;

export function toEve(event: LoggedEvent, options: EveOptions): EveRecord {
  return event.kind === 'verdict' ? verdictRecord(event, options) : anomalyRecord(event, options);
}

// Records are filled field by field, in the order of the log: spreads of what may be absent take longer than all the rest.

function verdictRecord(event: VerdictEvent, options: EveOptions): EveRecord {
  const record = newRecord('verdict', event, options);
  putInterface(record, 'in_iface', event.inIfindex, options);
  putInterface(record, 'out_iface', event.outIfindex, options);
  putEndpoints(record, event.client, event.server);
  record['proto'] = protoOf(event);
  if (options.machine !== undefined) record['community_id'] = communityIdOf(event);
  if (event.tls !== null || event.datagrams !== undefined) record['app_proto'] = event.datagrams ?? 'tls';
  if (event.frame !== 0) record['pcap_cnt'] = event.frame;
  record['verdict'] = verdictObject(event);
  if (event.tls !== null) record['tls'] = tlsObject(event.tls, options.certificates);
  return record;
}

export function communityIdOf(event: VerdictEvent): string {
  return communityId(event.client, event.server, protoOf(event));
}

function protoOf({ datagrams }: VerdictEvent): 'TCP' | 'UDP' {
  return datagrams === undefined ? 'TCP' : 'UDP';
}

function verdictObject(event: VerdictEvent): Fields {
  const { connmark } = event;
  const verdict: Record<string, unknown> = {
    action: event.action,
    reason: event.reason,
    pinset: event.pinset,
    mode: event.mode,
    evidence: event.evidence,
    matched: event.matched,
    connmark: connmark === null ? null : `${hex32(connmark.value)}/${hex32(connmark.mask)}`,
    held_us: event.heldMicros,
    config: event.config,
  };
  if (event.tookMicros !== undefined) verdict['took_us'] = event.tookMicros;
  if (event.packets !== undefined) verdict['packets'] = event.packets;
  if (event.allowedBy !== undefined && event.allowedBy !== null) verdict['allowed_by'] = event.allowedBy;
  if (event.would !== null) verdict['would'] = event.would;
  if (event.others.length > 0) verdict['others'] = event.others;
  if (event.rules !== undefined && event.rules.length > 0) verdict['rules'] = event.rules.map(ruleObject);
  if (event.fault !== null) verdict['fault'] = event.fault;
  if (event.starttls !== null) verdict['starttls'] = event.starttls;
  if (event.gaps !== undefined && event.gaps.length > 0) verdict['gap'] = event.gaps;
  if (event.fronted !== null) verdict['fronted'] = event.fronted;
  return verdict;
}

function ruleObject({ index, list, entry }: RuleMatch): Fields {
  return { index, ...(list === null ? {} : { list }), ...(entry === null ? {} : { entry }) };
}

function anomalyRecord(event: AnomalyEvent, options: EveOptions): EveRecord {
  const record = newRecord('anomaly', event, options);
  if (event.client !== null && event.server !== null) putEndpoints(record, event.client, event.server);
  record['anomaly'] = { event: event.code, ...event.condition, detail: event.detail };
  return record;
}

type Filled = { readonly event_type: EventType } & Record<string, unknown>;

function newRecord(eventType: EventType, event: LoggedEvent, options: EveOptions): Filled {
  const record: Filled = { event_type: eventType, timestamp: timestamp(event.time), flow_id: event.flowId };
  if (options.machine !== undefined) record['host'] = options.machine.host;
  if (options.pcapFilename !== undefined) record['pcap_filename'] = options.pcapFilename;
  return record;
}

function putInterface(record: Filled, name: string, ifindex: number | undefined, options: EveOptions): void {
  const found = interfaceName(ifindex, options);
  if (found !== undefined) record[name] = found;
}

/** Undefined where none is to be named. */
export function interfaceName(ifindex: number | undefined, { machine }: EveOptions): string | undefined {
  return ifindex === undefined || ifindex === 0 ? undefined : machine?.interfaceName(ifindex);
}

function putEndpoints(record: Filled, client: Endpoint, server: Endpoint): void {
  record['src_ip'] = addressText(client.address);
  record['src_port'] = client.port;
  record['dest_ip'] = addressText(server.address);
  record['dest_port'] = server.port;
}

function tlsObject(tls: TlsSummary, entries: CertificateEntries): Fields {
  const object: Record<string, unknown> = {};
  if (tls.sni !== null) object['sni'] = tls.sni;
  object['version'] = tlsVersionName(tls.version);
  if (tls.cipherSuite !== 0) object['cipher'] = cipherSuiteName(tls.cipherSuite) ?? hex16(tls.cipherSuite);
  if (tls.clientAlpns.length > 0) object['client_alpns'] = tls.clientAlpns;
  object['session_resumed'] = tls.sessionResumed;
  const certificates = tls.certificates.map((der) => entries.entryOf(der));
  if (certificates.length > 0) {
    const leaf = leafOf(certificates[0]!);
    for (const name of LEAF_FIELDS) object[name] = leaf[name];
  }
  if (tls.ja4 !== null) object['ja4'] = tls.ja4;
  object['certificates'] = certificates;
  if (tls.clientCertificates.length > 0) {
    object['client_certificates'] = tls.clientCertificates.map((der) => entries.entryOf(der));
  }
  return object;
}

/** What EVE says of the server's own certificate; made once of each entry. */
export function leafOf(entry: CertificateEntry): Leaf {
  let leaf = leaves.get(entry);
  if (leaf === undefined) {
    leaf = {
      subject: entry.subject,
      issuerdn: entry.issuer,
      serial: entry.serial,
      fingerprint: withColons(entry.sha1),
      notbefore: entry.not_before,
      notafter: entry.not_after,
    };
    leaves.set(entry, leaf);
  }
  return leaf;
}

export type Leaf = Readonly<Record<(typeof LEAF_FIELDS)[number], string | null>>;

/** In the order of the log. */
export const LEAF_FIELDS = ['subject', 'issuerdn', 'serial', 'fingerprint', 'notbefore', 'notafter'] as const;

/** As long as the entries are kept. */
const leaves = new WeakMap<CertificateEntry, Leaf>();

function withColons(hex: string): string {
  let text = hex.slice(0, 2);
  for (let at = 2; at < hex.length; at += 2) text += `:${hex.slice(at, at + 2)}`;
  return text;
}

/** As EVE names versions; drafts of 1.3 carry their number (0x7fNN); null when it is not known. */
export function tlsVersionName(version: number): string | null {
  if (version === 0) return null;
  // Drafts have versions of their own, and Facebook's before the final one too.
  if (version >>> 8 === 0xfb) return `TLS 1.3 fb${version & 0xff}`;
  if (version >>> 8 === 0x7f) return `TLS 1.3 draft-${version & 0xff}`;
  return VERSIONS.get(version) ?? hex16(version);
}

/** The other way round; 0 where the name is none. */
export function tlsVersionOf(name: string | null): number {
  const [, draft] = /^TLS 1\.3 draft-(\d{1,3})$/.exec(name ?? '') ?? [];
  if (draft !== undefined) return 0x7f00 | Number(draft);
  for (const [version, known] of VERSIONS) if (known === name) return version;
  return 0;
}

/** Whose record it is. */
export interface Origin {
  readonly host?: string | undefined;
  readonly capture?: string | undefined;
}

export function recordOf(eventType: OfNoFlow, micros: number, fields: Fields, from: Origin = {}): EveRecord {
  const { host, capture } = from;
  const of = {
    ...(host === undefined ? {} : { host }),
    ...(capture === undefined ? {} : { pcap_filename: capture }),
  };
  return { event_type: eventType, timestamp: timestamp(micros), ...of, [eventType]: fields };
}

/** Microseconds since the epoch as `2026-11-21T19:31:36.120123+0000`. */
export function timestamp(micros: number): string {
  const seconds = Math.floor(micros / 1e6);
  // Many are of the same second.
  if (seconds !== lastSecond) {
    lastSecondText = new Date(seconds * 1000).toISOString().slice(0, -4);
    lastSecond = seconds;
  }
  return `${lastSecondText}${String(Math.floor(micros) - seconds * 1e6).padStart(6, '0')}+0000`;
}

let lastSecond: number | undefined;
let lastSecondText = '';

/** Milliseconds since the epoch of such a timestamp. */
export function millisOf(timestamp: string): number {
  return Date.parse(`${timestamp.slice(0, 23)}Z`);
}

/** RFC 5952. */
export function addressText(address: Uint8Array): string {
  if (address.length === 4) return `${address[0]!}.${address[1]!}.${address[2]!}.${address[3]!}`;
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
