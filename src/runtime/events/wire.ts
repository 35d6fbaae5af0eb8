/**
 * Events between a packet thread and the main thread. Certificates, which are most of an event's octets and always the
 * same few, cross once and are numbers from then on. Both ends number alike, because messages come in order.
 */
import type { ContinuedEvent, FlowEvent, TlsSummary, VerdictEvent } from '../../judge/events.ts';

export type WireEvent =
  | Exclude<FlowEvent, VerdictEvent | ContinuedEvent>
  | WireVerdict
  | { readonly kind: 'continued'; readonly verdict: WireVerdict };

type WireVerdict = Omit<VerdictEvent, 'tls'> & { readonly tls: WireTls | null };

interface WireTls extends Omit<TlsSummary, 'certificates' | 'clientCertificates'> {
  readonly certificates: readonly WireCertificate[];
  readonly clientCertificates: readonly WireCertificate[];
}

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
    return event.kind === 'continued' ? { ...event, verdict: this.#pack(event.verdict) } : event;
  }

  #pack(event: VerdictEvent): WireVerdict {
    const { tls } = event;
    if (tls === null) return { ...event, tls };
    const certificates = tls.certificates.map((der) => this.#send(der));
    const clientCertificates = tls.clientCertificates.map((der) => this.#send(der));
    return { ...event, tls: { ...tls, certificates, clientCertificates } };
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

/** The receiving end: of certificates that come again the same objects. */
export class EventUnpacker {
  readonly #numbered: Uint8Array[] = [];
  #next = 0;

  unpack(event: WireEvent): FlowEvent {
    if (event.kind === 'verdict') return this.#unpack(event);
    return event.kind === 'continued' ? { ...event, verdict: this.#unpack(event.verdict) } : event;
  }

  #unpack(event: WireVerdict): VerdictEvent {
    const { tls } = event;
    if (tls === null) return { ...event, tls };
    const certificates = tls.certificates.map((sent) => this.#receive(sent));
    const clientCertificates = tls.clientCertificates.map((sent) => this.#receive(sent));
    return { ...event, tls: { ...tls, certificates, clientCertificates } };
  }

  #receive(sent: WireCertificate): Uint8Array {
    if (typeof sent === 'number') return this.#numbered[sent]!;
    if (!isNumbered(sent)) return sent;
    this.#numbered[this.#next] = sent;
    this.#next = following(this.#next);
    return sent;
  }
}

/** Longer ones are seldom, and would only be kept. */
function isNumbered(der: Uint8Array): boolean {
  return der.length <= LONGEST_NUMBERED;
}

function following(number: number): number {
  return (number + 1) % NUMBERS;
}

const NUMBERS = 1024;
/** Octets. */
const LONGEST_NUMBERED = 4096;
