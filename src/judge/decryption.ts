/**
 * The server's encrypted flight of one connection, read with the secret that its client logged: records wait here until
 * the secret is there, the flight is decrypted up to CertificateVerify, and whether the server has its certificate's
 * key is verified. Decides nothing about pins.
 *
 *   gathering ──secret──▶ reading ──Certificate──▶ ──CertificateVerify──▶ done
 *    │     └─too many─┐      └──wrong secret, PSK, fault──▶ failed
 *    │                └──secret───────────────────────────────▲
 *    └───────────────────────────── never a secret: whoever waits gives up
 */
import type { Fault } from '../bytes/fault.ts';
import { GrowingBuffer } from '../bytes/growing-buffer.ts';
import { CONTENT } from '../tls/constants.ts';
import { EncryptedFlight, type EncryptedFlightOptions } from '../tls/encrypted-flight.ts';
import { TOO_MANY_RECORDS } from '../tls/flight.ts';
import { type Tls13Suite, tls13SuiteOf } from '../tls/key-schedule.ts';
import type { RecordConsumer } from '../tls/record.ts';
import { type Hellos, Transcript } from '../tls/transcript.ts';
import { verifyIdentity } from '../x509/certificate-verify.ts';

export interface DecryptionOptions {
  readonly hellos: Hellos;
  /** Negotiated. */
  readonly version: number;
  readonly cipherSuite: number;
  readonly offersRawPublicKey: boolean;
  readonly limits: EncryptedFlightOptions['limits'];
  /** Milliseconds since the epoch. */
  readonly dateMs: () => number;
  readonly listener: DecryptionListener;
}

/** Hears each once at the most, and at the most one of `onHiddenProof` and `onHiddenFailure`. */
export interface DecryptionListener {
  /** A whole encrypted record is there, and no secret. */
  onSealed(): void;
  /** DER in wire order, the listener's own; of a raw public key its one SubjectPublicKeyInfo. */
  onHiddenCertificate(chain: readonly Uint8Array[], isRawPublicKey: boolean): void;
  /** Whether the server has the key of the first one. */
  onHiddenProof(proven: boolean): void;
  /** A secret was logged, and `code` says why nothing is to be read with it. A session that was resumed: `psk`. */
  onHiddenFailure(code: string): void;
}

export class Decryption implements RecordConsumer {
  readonly #options: DecryptionOptions;
  readonly #suite: Tls13Suite | undefined;
  readonly #gathered: GatheredRecord[] = [];
  #flight: EncryptedFlight | undefined;
  #isDone = false;
  /** There is more than is gathered: with a secret it would not be read either. */
  #isTooMuch = false;
  #sawCertificate = false;
  /** Offset, in the server's TLS stream, of the first record that only the secret opens. */
  sealedFrom: number | undefined;
  /** Such a record is whole, and there is no secret yet: the certificate may be in it. */
  isSealed = false;

  constructor(options: DecryptionOptions) {
    this.#options = options;
    this.#suite = tls13SuiteOf(options.cipherSuite);
  }

  /** True until it is shown who the server is, or that this cannot be read. */
  get isOpen(): boolean {
    return !this.#isDone;
  }

  /** Nothing can be read yet. */
  get lacksSecret(): boolean {
    return this.#flight === undefined && !this.#isDone;
  }

  onSecret(serverSecret: Uint8Array): void {
    if (this.#isDone || this.#flight !== undefined) return;
    if (this.#isTooMuch) return this.#fail(TOO_MANY_RECORDS);
    if (this.#suite === undefined) return this.#fail('tls.cipher-suite');
    if (serverSecret.length !== this.#suite.hashLength) return this.#fail('keylog.length');
    const { version, hellos, limits, offersRawPublicKey } = this.#options;
    const transcript = Transcript.ofHellos(this.#suite.hash, hellos);
    const suite = this.#suite;
    this.#flight = new EncryptedFlight({ suite, version, serverSecret, transcript, offersRawPublicKey, limits });
    this.isSealed = false;
    for (const { contentType, version, length, at, payload, isWhole } of this.#gathered.splice(0)) {
      const octets = payload.take();
      this.#begin(contentType, version, length, at);
      if (octets.length > 0) this.#read(contentType, octets, 0, octets.length, isWhole);
    }
  }

  /** Finds no fault: what a key log cannot read is for others to decide. */
  onRecordStart(contentType: number, version: number, length: number, at: number): undefined {
    if (isSecret(contentType)) this.sealedFrom ??= at;
    if (this.#flight !== undefined) this.#begin(contentType, version, length, at);
    else if (!this.#isDone && !this.#isTooMuch) this.#gather({ contentType, version, length, at });
  }

  onPayload(contentType: number, bytes: Uint8Array, start: number, end: number, last: boolean): undefined {
    if (this.#flight !== undefined) this.#read(contentType, bytes, start, end, last);
    else if (!this.#isDone && !this.#isTooMuch) this.#gatherPayload(contentType, bytes, start, end, last);
  }

  #gather(header: Omit<GatheredRecord, 'payload' | 'isWhole'>): void {
    if (this.#gathered.length === this.#options.limits.records) {
      this.#isTooMuch = true;
      this.#gathered.length = 0;
      this.sealedFrom ??= header.at;
      return this.#seal();
    }
    this.#gathered.push({ ...header, payload: new GrowingBuffer(), isWhole: false });
  }

  #gatherPayload(contentType: number, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const record = this.#gathered.at(-1)!;
    record.payload.append(bytes, start, end);
    record.isWhole = last;
    if (last && isSecret(contentType)) this.#seal();
  }

  /** From here on nothing goes before there is a secret. */
  #seal(): void {
    if (this.isSealed) return;
    this.isSealed = true;
    this.#options.listener.onSealed();
  }

  #begin(contentType: number, version: number, length: number, at: number): void {
    if (!this.#isDone) this.#look(this.#flight!.onRecordStart(contentType, version, length, at));
  }

  #read(contentType: number, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (!this.#isDone) this.#look(this.#flight!.onPayload(contentType, bytes, start, end, last));
  }

  #look(fault: Fault | undefined): void {
    const { certificate, authentication } = this.#flight!;
    const { listener, dateMs } = this.#options;
    if (certificate !== undefined && !this.#sawCertificate) {
      this.#sawCertificate = true;
      listener.onHiddenCertificate(certificate.certificates, certificate.isRawPublicKey);
    }
    if (authentication?.kind === 'certificate') {
      this.#isDone = true;
      return listener.onHiddenProof(verifyIdentity(authentication, dateMs()));
    }
    if (authentication !== undefined) return this.#fail('psk');
    if (fault !== undefined) this.#fail(fault.code);
  }

  #fail(code: string): void {
    this.#isDone = true;
    this.isSealed = false;
    this.#gathered.length = 0;
    this.#options.listener.onHiddenFailure(code);
  }
}

/** Behind a ServerHello a client reads alerts and ChangeCipherSpec in clear; anything else may be a certificate to it. */
function isSecret(contentType: number): boolean {
  return contentType !== CONTENT.changeCipherSpec && contentType !== CONTENT.alert;
}

interface GatheredRecord {
  readonly contentType: number;
  readonly version: number;
  readonly length: number;
  readonly at: number;
  readonly payload: GrowingBuffer;
  isWhole: boolean;
}
