/**
 * Events between a packet thread and the main thread. Certificates, which are most of an event's octets and always the
 * same few, cross once and are numbers from then on; of a verdict only the values cross, in one row, because the names of
 * its fields take as long as they do. Both ends number alike, because messages come in order.
 */
import { LRUCache } from 'lru-cache';

import { latin1Of, octetsOf } from '../../bytes/latin1.ts';
import type { ContinuedEvent, FlowEvent, TlsSummary, VerdictEvent } from '../../judge/events.ts';

export type WireEvent = Exclude<FlowEvent, VerdictEvent | ContinuedEvent> | WireVerdict | WireContinued;

/** An event's values, in the order of `rowOf`. */
export type WireVerdict = ReturnType<typeof rowOf>;

interface WireContinued {
  readonly kind: 'continued';
  readonly verdict: WireVerdict;
}

/** A summary's, in the order of `tlsRowOf`. */
type WireTls = ReturnType<typeof tlsRowOf>;

/** DER at first, its number from then on, until as many others have come. */
type WireCertificate = Uint8Array | number;

/** The sending end. */
export class EventPacker {
  /** By identity: the engine has one object for equal octets. */
  readonly #numbers = new Map<Uint8Array, number>();
  readonly #numbered: Uint8Array[] = [];
  #next = 0;

  pack(event: FlowEvent): WireEvent {
    if (event.kind === 'verdict') return this.#pack(event);
    return event.kind === 'continued' ? { kind: event.kind, verdict: this.#pack(event.verdict) } : event;
  }

  #pack(event: VerdictEvent): WireVerdict {
    const { tls } = event;
    if (tls === null) return rowOf(event, null);
    return rowOf(event, tlsRowOf(tls, this.#sendAll(tls.certificates), this.#sendAll(tls.clientCertificates)));
  }

  /** By `push`: what `map` makes crosses as if it had holes. */
  #sendAll(chain: readonly Uint8Array[]): WireCertificate[] {
    const sent: WireCertificate[] = [];
    for (const der of chain) sent.push(this.#send(der));
    return sent;
  }

  #send(der: Uint8Array): WireCertificate {
    const known = this.#numbers.get(der);
    if (known !== undefined) return known;
    if (!isNumbered(der)) return der;
    const before = this.#numbered[this.#next];
    if (before !== undefined) this.#numbers.delete(before);
    this.#numbers.set(der, this.#next);
    this.#numbered[this.#next] = der;
    this.#next = following(this.#next);
    return der;
  }
}

interface Unpacked {
  row: WireVerdict;
  readonly tls: TlsSummary;
  event: VerdictEvent;
}

/** The receiving end: of certificates, and of whatever else comes again with the same name and client, the same objects. */
export class EventUnpacker {
  readonly #numbered: Uint8Array[] = [];
  #next = 0;
  /** The last of each name and client. */
  readonly #last = new LRUCache<string, Unpacked>({ max: REMEMBERED });

  unpack(event: WireEvent): FlowEvent {
    if (!('kind' in event)) return this.#unpack(event);
    return event.kind === 'continued' ? { kind: event.kind, verdict: this.#unpack(event.verdict) } : event;
  }

  #unpack(row: WireVerdict): VerdictEvent {
    if (row[0] === null) return eventOf(row, null);
    const tls = summaryOf(row[0], this.#receiveAll(row[0][7]), this.#receiveAll(row[0][8]));
    const last = this.#last.get(`${tls.sni} ${tls.ja4}`);
    if (last === undefined || !isSameSummary(tls, last.tls)) {
      const event = eventOf(row, tls);
      this.#last.set(`${tls.sni} ${tls.ja4}`, { row, tls, event });
      return event;
    }
    share(row, last.row);
    const event = eventOf(row, last.tls, last);
    last.row = row;
    last.event = event;
    return event;
  }

  #receiveAll(chain: readonly WireCertificate[]): Uint8Array[] {
    const received: Uint8Array[] = [];
    for (const sent of chain) received.push(this.#receive(sent));
    return received;
  }

  #receive(sent: WireCertificate): Uint8Array {
    if (typeof sent === 'number') return this.#numbered[sent]!;
    if (!isNumbered(sent)) return sent;
    this.#numbered[this.#next] = sent;
    this.#next = following(this.#next);
    return sent;
  }
}

/** The summary comes first: it is what is not copied as it is. */
function rowOf(event: VerdictEvent, tls: WireTls | null) {
  const { client, server } = event;
  return [
    tls,
    latin1Of(client.address),
    client.port,
    latin1Of(server.address),
    server.port,
    event.time,
    event.flowId,
    event.datagrams,
    event.action,
    event.reason,
    event.pinset,
    event.mode,
    event.evidence,
    event.proven,
    event.matched,
    event.connmark,
    event.packets,
    event.heldMicros,
    event.tookMicros,
    event.inIfindex,
    event.outIfindex,
    event.config,
    event.allowedBy,
    event.would,
    event.others,
    event.rules,
    event.fault,
    event.starttls,
    event.fronted,
    event.gaps,
    event.frame,
    event.milestones,
  ] as const;
}

/** `last`: whose addresses it may share. */
function eventOf(row: WireVerdict, tls: TlsSummary | null, last?: Unpacked): VerdictEvent {
  return {
    kind: 'verdict',
    client: { address: row[1] === last?.row[1] ? last.event.client.address : octetsOf(row[1]), port: row[2] },
    server: { address: row[3] === last?.row[3] ? last.event.server.address : octetsOf(row[3]), port: row[4] },
    tls,
    time: row[5],
    flowId: row[6],
    datagrams: row[7],
    action: row[8],
    reason: row[9],
    pinset: row[10],
    mode: row[11],
    evidence: row[12],
    proven: row[13],
    matched: row[14],
    connmark: row[15],
    packets: row[16],
    heldMicros: row[17],
    tookMicros: row[18],
    inIfindex: row[19],
    outIfindex: row[20],
    config: row[21],
    allowedBy: row[22],
    would: row[23],
    others: row[24],
    rules: row[25],
    fault: row[26],
    starttls: row[27],
    fronted: row[28],
    gaps: row[29],
    frame: row[30],
    milestones: row[31],
  };
}

function tlsRowOf(
  tls: TlsSummary,
  certificates: readonly WireCertificate[],
  clientCertificates: readonly WireCertificate[],
) {
  return [
    tls.sni,
    tls.version,
    tls.cipherSuite,
    tls.clientAlpns,
    tls.sessionResumed,
    tls.ja4,
    tls.sawClientHello,
    certificates,
    clientCertificates,
  ] as const;
}

function summaryOf(
  row: WireTls,
  certificates: readonly Uint8Array[],
  clientCertificates: readonly Uint8Array[],
): TlsSummary {
  return {
    sni: row[0],
    version: row[1],
    cipherSuite: row[2],
    clientAlpns: row[3],
    sessionResumed: row[4],
    ja4: row[5],
    sawClientHello: row[6],
    certificates,
    clientCertificates,
  };
}

function isSameSummary(one: TlsSummary, other: TlsSummary): boolean {
  return (
    one.sni === other.sni &&
    one.ja4 === other.ja4 &&
    one.version === other.version &&
    one.cipherSuite === other.cipherSuite &&
    one.sessionResumed === other.sessionResumed &&
    one.sawClientHello === other.sawClientHello &&
    isSameList(one.clientAlpns, other.clientAlpns) &&
    isSameChain(one.certificates, other.certificates) &&
    isSameChain(one.clientCertificates, other.clientCertificates)
  );
}

/** By identity: one that comes again is a number, and the same object. */
function isSameChain(one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return one.length === other.length && one.every((der, i) => der === other[i]);
}

function isSameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((each, i) => isSame(each, other[i]));
}

/** Has the row refer to the other one's values where they are equal: what is kept of it is less, and found to be equal soon. */
function share(row: WireVerdict, other: WireVerdict): void {
  const values = row as unknown as unknown[];
  for (let i = 1; i < MILESTONES; i++) if (isSame(values[i], other[i])) values[i] = other[i];
}

/** Of values, and of lists and objects of them. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one)) return Array.isArray(other) && isSameList(one, other);
  const names = Object.keys(one) as (keyof typeof one)[];
  return names.length === Object.keys(other).length && names.every((name) => isSame(one[name], other[name]));
}

/** Longer ones are seldom, and would only be kept. */
function isNumbered(der: Uint8Array): boolean {
  return der.length <= LONGEST_NUMBERED;
}

function following(number: number): number {
  return (number + 1) % NUMBERS;
}

const NUMBERS = 1024;
/** In a row: they are never the same. */
const MILESTONES = 31;
const REMEMBERED = 1024;
/** Octets. */
const LONGEST_NUMBERED = 4096;
