/**
 * The client's side of a handshake, as far as the server's proof that it has its certificate's key; behind that it only goes
 * away. Octets in, octets out; knows no sockets and no clocks.
 *
 *   hello ─▶ awaitServerHello ─▶ TLS 1.3: EncryptedFlight ─────────▶ CertificateVerify: outcome
 *                 ▲     │  └───▶ to 1.2:  Certificate ─────────────▶ ServerKeyExchange, ServerHelloDone: outcome
 *                 └─────┘ HelloRetryRequest: second hello
 */
import { copyOf } from '../bytes/copy.ts';
import type { Fault } from '../bytes/fault.ts';
import type { ProbedAlternative, ProbeFailure } from '../judge/ports.ts';
import { authenticationOf, type KeyExchange } from '../tls/cipher-suites.ts';
import { CONTENT, HANDSHAKE, MAX_PLAINTEXT, VERSION } from '../tls/constants.ts';
import { EncryptedFlight } from '../tls/encrypted-flight.ts';
import { HandshakeTrafficSecrets, tls13SuiteOf } from '../tls/key-schedule.ts';
import type { ObserverLimits } from '../tls/observed/dialogue.ts';
import type { HandshakeListener } from '../tls/observed/listener.ts';
import { Observer } from '../tls/observer.ts';
import { type RecordConsumer, RecordReader } from '../tls/record.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import type { ServerKeyExchange } from '../tls/server-key-exchange.ts';
import { Transcript } from '../tls/transcript.ts';
import { verifyIdentity } from '../x509/certificate-verify.ts';
import { verifyServerKeyExchange } from '../x509/proof.ts';
import { spkiOf } from '../x509/spki.ts';
import { canShare } from './key-share.ts';
import { type Mirror, MirroredHello } from './mirror.ts';
import { drawParting, type FinishedHandshake, lastWords, type Parting } from './parting.ts';

export type HandshakeOutcome =
  | ({ readonly kind: 'certificates'; readonly version: number } & ProbedAlternative)
  | { readonly kind: 'failed'; readonly reason: ProbeFailure; readonly detail: string }
  /** The server insists on a group that is on the client's list and that this probe cannot do. */
  | { readonly kind: 'unusable-group'; readonly group: number };

export interface ProbeHandshakeOptions {
  readonly mirror: Mirror;
  /** Of the client's first record. */
  readonly recordVersion: number;
  /** Groups of the client's list that are left out. */
  readonly withoutGroups?: readonly number[];
  /** How it goes away; drawn where none is given. */
  readonly parting?: Parting;
  readonly limits: ObserverLimits;
}

export class ProbeHandshake {
  readonly #mirror: Mirror;
  readonly #limits: ObserverLimits;
  readonly #hello: MirroredHello;
  readonly #firstHello: Uint8Array;
  readonly #recordVersion: number;
  readonly #parting: Parting;
  readonly #observer: Observer;
  readonly #records: RecordReader;
  #encrypted: EncryptedFlight | undefined;
  #finished: FinishedHandshake | undefined;
  #retry: { readonly request: ServerHello; readonly clientHello: Uint8Array } | undefined;
  #serverHello: ServerHello | undefined;
  #certificates: readonly Uint8Array[] = [];
  #isRawPublicKey = false;
  #output: Uint8Array[] = [];
  #outcome: HandshakeOutcome | undefined;

  constructor({ mirror, recordVersion, withoutGroups, limits, parting = drawParting() }: ProbeHandshakeOptions) {
    this.#mirror = mirror;
    this.#limits = limits;
    this.#hello = new MirroredHello(mirror, withoutGroups);
    this.#firstHello = this.#hello.body();
    this.#parting = parting;
    this.#recordVersion = recordVersion >> 8 === 3 ? recordVersion : VERSION.tls10;
    this.#observer = new Observer(this.#listener(), limits, { isSsl2: false, clientFirst: true });
    this.#records = new RecordReader(this.#dispatcher());
  }

  /** There once the server showed what it has to show, or cannot any more. */
  get outcome(): HandshakeOutcome | undefined {
    return this.#outcome;
  }

  /** What opens the conversation; called once. */
  start(): Uint8Array {
    this.#sendHello(this.#firstHello, this.#recordVersion);
    return this.#takeOutput();
  }

  /** What is to be sent in answer; empty where nothing is. Never throws. */
  feed(bytes: Uint8Array): Uint8Array {
    if (this.#outcome === undefined) this.#records.feed(bytes, 0, bytes.length);
    if (this.#records.fault !== undefined) this.#onFault(this.#records.fault);
    return this.#outcome === undefined ? this.#takeOutput() : EMPTY;
  }

  /** Never throws. */
  part(bytes: Uint8Array): readonly Uint8Array[] | undefined {
    const outcome = this.#outcome;
    if (outcome?.kind !== 'certificates' || outcome.version !== VERSION.tls13) return [];
    this.#records.feed(bytes, 0, bytes.length);
    if (this.#records.fault !== undefined) return [];
    const words = lastWords(this.#parting, this.#finished!);
    // RFC 8446 appendix D.4: ahead of the second flight, which this one is unless there was another hello.
    const isFirst = words?.[0] !== undefined && this.#hello.sessionId.length > 0 && this.#retry === undefined;
    return isFirst ? [Buffer.concat([CHANGE_CIPHER_SPEC, words[0]!]), ...words.slice(1)] : words;
  }

  /** Records in clear go to the observer as they came; from the first one behind a ServerHello of 1.3, to the flight. */
  #dispatcher(): RecordConsumer {
    let encrypted: EncryptedFlight | undefined;
    return {
      onRecordStart: (contentType, version, length, at) => {
        encrypted = this.#encrypted;
        if (encrypted !== undefined) return encrypted.onRecordStart(contentType, version, length, at);
        const header = Uint8Array.of(contentType, version >> 8, version & 0xff, length >> 8, length & 0xff);
        this.#observer.feedServer(header, 0, header.length);
        return undefined;
      },
      onPayload: (contentType, bytes, start, end, last) => {
        if (encrypted === undefined) {
          this.#observer.feedServer(bytes, start, end);
          return undefined;
        }
        const fault = encrypted.onPayload(contentType, bytes, start, end, last);
        this.#onEncrypted(encrypted);
        return fault;
      },
    };
  }

  #listener(): HandshakeListener {
    return {
      onClientHello: () => {},
      onServerHello: (hello, keyExchange) => this.#onServerHello(hello, keyExchange),
      onCertificate: (certificates) => {
        this.#certificates = certificates.map((der) => copyOf(der));
      },
      onRawPublicKey: (spki) => {
        this.#certificates = [copyOf(spki)];
        this.#isRawPublicKey = true;
      },
      onServerKeyExchange: (exchange) => this.#onServerKeyExchange(exchange),
      // Without a signed key exchange only the rest of the handshake would prove anything, and that is not for probes.
      onServerHelloDone: () => this.#showCertificates(false),
      onNewSessionTicket: () => {},
      onServerFinished: () => {},
      onServerChangeCipherSpec: () => this.#fail('protocol', 'tls.change-cipher-spec.early'),
      onClientCertificate: () => {},
      onFatalAlert: (_, description) => this.#fail('alert', `${description}`),
      onFault: (_, fault) => this.#onFault(fault),
    };
  }

  #onServerHello(hello: ServerHello, keyExchange: KeyExchange): void {
    if (this.#outcome !== undefined) return;
    const { hello: asked } = this.#mirror;
    // RFC 8446 §4.1.3, RFC 5246 §7.4.1.3: a client takes no answer to what it has not asked.
    if (!this.#offers(hello.version)) return this.#fail('protocol', 'tls.server-hello.version');
    if (!asked.cipherSuites.includes(hello.cipherSuite)) return this.#fail('protocol', 'tls.server-hello.cipher-suite');
    if (hello.isHelloRetryRequest) return this.#onHelloRetryRequest(hello);
    this.#serverHello = hello;
    if (hello.isTls13) return this.#onServerHello13(hello);
    const shows = keyExchange !== 'anonymous' && keyExchange !== 'psk';
    if (!shows) this.#fail('no-certificate', '');
  }

  #offers(version: number): boolean {
    const { supportedVersions, legacyVersion } = this.#mirror.hello;
    return supportedVersions.length > 0 ? supportedVersions.includes(version) : version <= legacyVersion;
  }

  #onHelloRetryRequest(hello: ServerHello): void {
    const group = hello.keyShare?.group;
    const body = this.#hello.retryBody(group, hello.cookie);
    if (body === undefined) {
      const isOurLack = group !== undefined && this.#hello.lists(group) && !canShare(group);
      if (!isOurLack) return this.#fail('protocol', 'tls.hello-retry-request.nothing-new');
      this.#outcome ??= { kind: 'unusable-group', group };
      return;
    }
    this.#retry = { request: hello, clientHello: body };
    // RFC 8446 appendix D.4: with a session id there is a ChangeCipherSpec ahead of the second flight.
    if (this.#hello.sessionId.length > 0) this.#output.push(CHANGE_CIPHER_SPEC);
    this.#sendHello(body, VERSION.tls12);
  }

  #onServerHello13(hello: ServerHello): void {
    const suite = tls13SuiteOf(hello.cipherSuite);
    if (suite === undefined || hello.version !== VERSION.tls13) {
      return this.#fail('unsupported', hello.version === VERSION.tls13 ? 'cipher suite' : 'version');
    }
    const retry = this.#retry;
    // RFC 8446 §4.1.4: the suite of a HelloRetryRequest stays.
    if ((retry?.request.cipherSuite ?? hello.cipherSuite) !== hello.cipherSuite) {
      return this.#fail('protocol', 'tls.server-hello.cipher-suite');
    }
    if (hello.selectsPsk) return this.#fail('protocol', 'tls.server-hello.psk');
    const { keyShare } = hello;
    const own = this.#hello.keyShares.find(({ group }) => group === keyShare?.group);
    const sharedSecret = own?.agree(keyShare!.keyExchange);
    if (sharedSecret === undefined) return this.#fail('protocol', 'tls.server-hello.key-share');
    const transcript = Transcript.ofHellos(suite.hash, {
      clientHello: this.#firstHello,
      retry: retry && { helloRetryRequest: retry.request.body, clientHello: retry.clientHello },
      serverHello: hello.body,
    });
    const secrets = new HandshakeTrafficSecrets(suite, sharedSecret, transcript.digest());
    const { offersRawPublicKey } = this.#mirror.hello;
    const limits = this.#limits;
    const ours = { suite, serverSecret: secrets.server, transcript, toTheEnd: true };
    this.#encrypted = new EncryptedFlight({ ...ours, offersRawPublicKey, limits });
    this.#finished = { suite, secrets, transcript, flight: this.#encrypted };
  }

  #onServerKeyExchange(exchange: ServerKeyExchange): void {
    const { version, cipherSuite, random } = this.#serverHello!;
    const spki = this.#leafKey();
    const proven =
      spki !== null &&
      verifyServerKeyExchange({
        spki,
        version,
        scheme: exchange.scheme,
        authentication: authenticationOf(cipherSuite),
        signed: Buffer.concat([this.#hello.random, random, exchange.params]),
        signature: exchange.signature,
      });
    this.#showCertificates(proven);
  }

  #onEncrypted(flight: EncryptedFlight): void {
    const { authentication } = flight;
    if (this.#outcome !== undefined) return;
    if (authentication === undefined) {
      if (flight.alert !== undefined) this.#fail('alert', `${flight.alert}`);
      return;
    }
    if (authentication.kind === 'psk') return this.#fail('protocol', 'tls.server-hello.psk');
    // Without what comes with each in the message, which may be much more.
    this.#certificates = authentication.certificates.map((der) => copyOf(der));
    this.#isRawPublicKey = authentication.isRawPublicKey;
    this.#showCertificates(verifyIdentity(authentication, Date.now()));
  }

  #leafKey(): Uint8Array | null {
    const leaf = this.#certificates[0];
    if (leaf === undefined) return null;
    return this.#isRawPublicKey ? leaf : spkiOf(leaf);
  }

  #showCertificates(proven: boolean): void {
    if (this.#certificates.length === 0) return this.#fail('no-certificate', '');
    const { version } = this.#serverHello!;
    const [chain, isRawPublicKey] = [this.#certificates, this.#isRawPublicKey];
    this.#outcome ??= { kind: 'certificates', chain, isRawPublicKey, version, proven };
  }

  #onFault({ family, code }: Fault): void {
    this.#fail(family === 'unsupported' ? 'unsupported' : 'protocol', code);
  }

  #fail(reason: ProbeFailure, detail: string): void {
    this.#outcome ??= { kind: 'failed', reason, detail };
  }

  #sendHello(body: Uint8Array, recordVersion: number): void {
    const header = Uint8Array.of(
      HANDSHAKE.clientHello,
      body.length >> 16,
      (body.length >> 8) & 0xff,
      body.length & 0xff,
    );
    const message = Buffer.concat([header, body]);
    for (let at = 0; at < message.length; at += MAX_PLAINTEXT) {
      const payload = message.subarray(at, at + MAX_PLAINTEXT);
      const sent = record(CONTENT.handshake, recordVersion, payload);
      this.#observer.feedClient(sent, 0, sent.length);
      this.#output.push(sent);
    }
  }

  #takeOutput(): Uint8Array {
    const output = Buffer.concat(this.#output);
    this.#output = [];
    return output;
  }
}

function record(contentType: number, version: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const header = Uint8Array.of(contentType, version >> 8, version & 0xff, length >> 8, length & 0xff);
  return Buffer.concat([header, payload]);
}

const CHANGE_CIPHER_SPEC = record(CONTENT.changeCipherSpec, VERSION.tls12, Uint8Array.of(1));
const EMPTY = new Uint8Array(0);
