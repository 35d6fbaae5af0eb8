/**
 * A server's encrypted flight of TLS 1.3 (RFC 8446 §4.3-4.4) under its handshake traffic secret: from the record behind
 * ServerHello to CertificateVerify, in the one order that is allowed, and to Finished where somebody wants that. What
 * follows is not looked at. Reads certificates and signature; whether they are any good is not decided here.
 *
 *   awaitEncryptedExtensions ─▶ awaitCertificate ─▶ awaitCertificateVerify ─▶ done, or awaitFinished ─▶ done
 *                                  │        ▲ │
 *                    Finished: PSK │        └─┘ CertificateRequest
 *                                  └──────────────────────────────────────────▶ done
 */
import { copyOf } from '../bytes/copy.ts';
import { type Fault, isFault, malformed, misbehaved } from '../bytes/fault.ts';
import { GrowingBuffer } from '../bytes/growing-buffer.ts';
import { ByteReader } from '../bytes/reader.ts';
import { type Certificate13, parseCertificate13 } from './certificate.ts';
import { readCompressedCertificate } from './compressed-certificate.ts';
import { CERTIFICATE_TYPE, CONTENT, EXTENSION, HANDSHAKE, MAX_PLAINTEXT } from './constants.ts';
import { readExtensions } from './extensions.ts';
import { type FlightLimits, TOO_MANY_RECORDS } from './flight.ts';
import { HandshakeReader } from './handshake.ts';
import type { Tls13Suite } from './key-schedule.ts';
import type { RecordConsumer } from './record.ts';
import { RecordProtection } from './record-protection.ts';
import type { Transcript } from './transcript.ts';

/** How a server showed who it is. */
export type ServerAuthentication =
  | {
      readonly kind: 'certificate';
      /** Copies in wire order; of a raw public key (RFC 7250) its one SubjectPublicKeyInfo. */
      readonly certificates: readonly Uint8Array[];
      readonly isRawPublicKey: boolean;
      readonly delegatedCredential: Uint8Array | null;
      /** SignatureScheme of CertificateVerify. */
      readonly scheme: number;
      readonly signature: Uint8Array;
      /** What is signed: context and transcript hash. */
      readonly signed: Uint8Array;
      readonly asksForClientCertificate: boolean;
    }
  /** By a pre-shared key: no certificate is to come. */
  | { readonly kind: 'psk' };

export interface EncryptedFlightOptions {
  readonly suite: Tls13Suite;
  /** Negotiated; drafts from 20 on can be read as well. */
  readonly version?: number;
  /** SERVER_HANDSHAKE_TRAFFIC_SECRET. */
  readonly serverSecret: Uint8Array;
  /** Up to ServerHello; goes on here. */
  readonly transcript: Transcript;
  /** Whether the client knows what to do with one; a server that sends it unasked is read by nobody. */
  readonly offersRawPublicKey: boolean;
  /** Finished is wanted too. */
  readonly toTheEnd?: boolean;
  readonly limits: FlightLimits & { readonly certificates: number };
}

/** To stand behind a RecordReader that begins with the first record after ServerHello's. */
export class EncryptedFlight implements RecordConsumer {
  readonly #limits: EncryptedFlightOptions['limits'];
  readonly #offersRawPublicKey: boolean;
  readonly #toTheEnd: boolean;
  readonly #transcript: Transcript;
  readonly #tagLength: number;
  readonly #protection: RecordProtection;
  readonly #handshake: HandshakeReader;
  readonly #gathered = new GrowingBuffer();
  #header: Uint8Array = EMPTY;
  #at = 0;
  #records = 0;
  #state: FlightState = 'awaitEncryptedExtensions';
  #sendsRawPublicKey = false;
  #asksForClientCertificate = false;
  #certificate: Certificate13 | undefined;
  #authentication: ServerAuthentication | undefined;
  #asksForSettings = false;
  #finished: Uint8Array | undefined;
  #alert: number | undefined;

  constructor(options: EncryptedFlightOptions) {
    const { suite, version, serverSecret, transcript, limits } = options;
    this.#limits = limits;
    this.#offersRawPublicKey = options.offersRawPublicKey;
    this.#toTheEnd = options.toTheEnd ?? false;
    this.#transcript = transcript;
    this.#tagLength = suite.tagLength;
    this.#protection = new RecordProtection(suite, serverSecret, version);
    this.#handshake = new HandshakeReader(limits.handshakeBytes, (type, body) => this.#onMessage(type, body));
  }

  /** There as soon as the server's Certificate is; nobody knows yet whether it is the server's. */
  get certificate(): { readonly certificates: readonly Uint8Array[]; readonly isRawPublicKey: boolean } | undefined {
    const { certificates } = this.#certificate ?? {};
    return certificates && { certificates, isRawPublicKey: this.#sendsRawPublicKey };
  }

  /** There once the flight showed all that it has to show. */
  get authentication(): ServerAuthentication | undefined {
    return this.#authentication;
  }

  /** verify_data of Finished; what it is of is the transcript, which ends ahead of it. */
  get finished(): Uint8Array | undefined {
    return this.#finished;
  }

  /** A client that goes on has to say more than Finished. */
  get asksForMore(): boolean {
    return this.#asksForClientCertificate || this.#asksForSettings;
  }

  /** AlertDescription of the alert that ended it. */
  get alert(): number | undefined {
    return this.#alert;
  }

  onRecordStart(contentType: number, version: number, length: number, at: number): Fault | undefined {
    if (this.#state === 'done') return undefined;
    if (++this.#records > this.#limits.records) return misbehaved(TOO_MANY_RECORDS, at);
    this.#at = at;
    // RFC 8446 appendix D.4: a ChangeCipherSpec means nothing.
    if (contentType === CONTENT.changeCipherSpec) {
      return length === 1 ? undefined : malformed('tls.change-cipher-spec.length', at);
    }
    if (contentType !== CONTENT.applicationData) return misbehaved('tls.record.unprotected', at);
    if (length > MAX_ENCRYPTED) return malformed('tls.record.overflow', at);
    if (length <= this.#tagLength) return malformed('tls.record.empty', at);
    this.#header = Uint8Array.of(contentType, version >> 8, version & 0xff, length >> 8, length & 0xff);
    return undefined;
  }

  onPayload(contentType: number, bytes: Uint8Array, start: number, end: number, last: boolean): Fault | undefined {
    if (this.#state === 'done') return undefined;
    if (contentType === CONTENT.changeCipherSpec) {
      return bytes[start] === 1 ? undefined : malformed('tls.change-cipher-spec.value', this.#at);
    }
    if (last && this.#gathered.length === 0) return this.#onRecord(bytes.subarray(start, end));
    this.#gathered.append(bytes, start, end);
    return last ? this.#onRecord(this.#gathered.take()) : undefined;
  }

  #onRecord(encryptedRecord: Uint8Array): Fault | undefined {
    const inner = this.#protection.open(this.#header, encryptedRecord);
    if (inner === undefined) return misbehaved(UNDECIPHERABLE, this.#at);
    const { contentType, content } = inner;
    if (content.length > MAX_PLAINTEXT) return malformed('tls.record.overflow', this.#at);
    if (contentType === CONTENT.alert && content.length === 2 && !this.#handshake.inMessage) {
      this.#alert = content[1]!;
      return misbehaved('tls.alert', this.#at);
    }
    // RFC 8446 §5.1, §5.4: nothing stands between a message's records, and none of them is empty.
    if (contentType !== CONTENT.handshake) return misbehaved('tls.record.interleaved', this.#at);
    if (content.length === 0) return malformed('tls.record.empty', this.#at);
    return this.#handshake.feed(content, 0, content.length);
  }

  #onMessage(type: number, body: Uint8Array): Fault | undefined {
    switch (this.#state) {
      case 'awaitEncryptedExtensions':
        return this.#awaitEncryptedExtensions(type, body);
      case 'awaitCertificate':
        return this.#awaitCertificate(type, body);
      case 'awaitCertificateVerify':
        return this.#awaitCertificateVerify(type, body);
      case 'awaitFinished':
        return this.#awaitFinished(type, body);
      case 'done':
        return undefined;
      default:
        return this.#state satisfies never;
    }
  }

  #awaitEncryptedExtensions(type: number, body: Uint8Array): Fault | undefined {
    if (type !== HANDSHAKE.encryptedExtensions) return misbehaved('tls.handshake.order', this.#at);
    const extensions = readExtensions(new ByteReader(body));
    if (extensions === undefined || body.length < 2) return malformed('tls.encrypted-extensions.syntax', this.#at);
    const certificateType = extensions.get(EXTENSION.serverCertificateType);
    this.#sendsRawPublicKey = certificateType?.[0] === CERTIFICATE_TYPE.rawPublicKey;
    if (this.#sendsRawPublicKey && !this.#offersRawPublicKey) {
      return misbehaved('tls.encrypted-extensions.unsolicited', this.#at);
    }
    this.#asksForSettings = SETTINGS.some((extension) => extensions.has(extension));
    this.#transcript.add(type, body);
    this.#state = 'awaitCertificate';
    return undefined;
  }

  #awaitCertificate(type: number, body: Uint8Array): Fault | undefined {
    this.#transcript.add(type, body);
    switch (type) {
      case HANDSHAKE.certificateRequest: {
        const isRepeated = this.#asksForClientCertificate;
        this.#asksForClientCertificate = true;
        return isRepeated ? misbehaved('tls.handshake.order', this.#at) : undefined;
      }
      case HANDSHAKE.certificate:
        return this.#onCertificate(body);
      case HANDSHAKE.compressedCertificate: {
        const inflated = readCompressedCertificate(body, this.#limits.handshakeBytes);
        return isFault(inflated) ? inflated : this.#onCertificate(inflated);
      }
      case HANDSHAKE.finished:
        // RFC 8446 §4.3.2: a server that authenticates with a PSK asks for no certificate either.
        if (this.#asksForClientCertificate) return misbehaved('tls.handshake.order', this.#at);
        this.#authentication = { kind: 'psk' };
        this.#state = 'done';
        return undefined;
      default:
        return misbehaved('tls.handshake.order', this.#at);
    }
  }

  #onCertificate(body: Uint8Array): Fault | undefined {
    const certificate = parseCertificate13(copyOf(body), this.#limits.certificates);
    if (isFault(certificate)) return certificate;
    // RFC 8446 §4.4.2: in a handshake a server's context is empty and its list is not.
    const { requestContext, certificates } = certificate;
    if (requestContext.length > 0) return malformed('tls.certificate.context', this.#at);
    if (certificates.length === 0) return malformed('tls.certificate.none', this.#at);
    if (this.#sendsRawPublicKey && certificates.length > 1) return malformed('tls.certificate.syntax', this.#at);
    this.#certificate = certificate;
    this.#state = 'awaitCertificateVerify';
    return undefined;
  }

  #awaitCertificateVerify(type: number, body: Uint8Array): Fault | undefined {
    if (type !== HANDSHAKE.certificateVerify) return misbehaved('tls.handshake.order', this.#at);
    const reader = new ByteReader(body);
    const scheme = reader.u16();
    const signature = copyOf(reader.vector16().rest());
    if (!reader.atEnd()) return malformed('tls.certificate-verify.syntax', this.#at);
    const { certificates, delegatedCredential } = this.#certificate!;
    this.#authentication = {
      kind: 'certificate',
      certificates,
      isRawPublicKey: this.#sendsRawPublicKey,
      delegatedCredential,
      scheme,
      signature,
      signed: Buffer.concat([SIGNATURE_CONTEXT, this.#transcript.digest()]),
      asksForClientCertificate: this.#asksForClientCertificate,
    };
    if (this.#toTheEnd) this.#transcript.add(type, body);
    this.#state = this.#toTheEnd ? 'awaitFinished' : 'done';
    return undefined;
  }

  #awaitFinished(type: number, body: Uint8Array): Fault | undefined {
    if (type !== HANDSHAKE.finished) return misbehaved('tls.handshake.order', this.#at);
    this.#finished = copyOf(body);
    this.#state = 'done';
    return undefined;
  }
}

/** Of a record that the secret does not open: the wrong secret, or a changed record. */
export const UNDECIPHERABLE = 'tls.record.undecipherable';

type FlightState =
  'awaitEncryptedExtensions' | 'awaitCertificate' | 'awaitCertificateVerify' | 'awaitFinished' | 'done';
/** A client answers them by EncryptedExtensions of its own. */
const SETTINGS = [EXTENSION.applicationSettingsOld, EXTENSION.applicationSettings];

/** RFC 8446 §4.4.3. */
const SIGNATURE_CONTEXT = Buffer.from(`${' '.repeat(64)}TLS 1.3, server CertificateVerify\0`, 'latin1');
/** RFC 8446 §5.2. */
const MAX_ENCRYPTED = MAX_PLAINTEXT + 256;
const EMPTY = new Uint8Array(0);
