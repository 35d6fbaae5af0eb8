/**
 * What the key log says of one flow: whether it may still be asked, who reads the encrypted records, and that it had
 * nothing to say, which stays so whatever becomes of the configuration. What is read is judged by others.
 */
import type { JudgeContext } from '../context.ts';
import { Decryption, type DecryptionListener } from '../decryption.ts';
import type { Reason } from '../events.ts';
import type { HelloMessages } from '../hellos.ts';
import type { HiddenCertificates } from '../hidden-certificates.ts';

/** Why nothing is to be had of the key log. */
export interface NothingLogged {
  readonly reason: Reason;
  readonly fault: string | null;
  /** A secret was logged, and what it opens is no certificate: whoever sent that chose it, so nothing else is asked. */
  readonly isRefuted: boolean;
}

export class KeylogReading {
  readonly #context: JudgeContext;
  readonly #listener: () => DecryptionListener;
  #decryption: Decryption | undefined;
  #clientRandom: Uint8Array | undefined;
  /** The encrypted records go by unread, and cannot be read any more. */
  #isPast = false;
  #nothing: NothingLogged | undefined;
  /** The client has acknowledged the ServerHello, so that it can log its secret. */
  isTaken = false;

  constructor(context: JudgeContext, listener: () => DecryptionListener) {
    this.#context = context;
    this.#listener = listener;
  }

  /** Undefined where it has not failed. */
  get nothing(): NothingLogged | undefined {
    return this.#nothing;
  }

  /** A whole encrypted record is there, and no secret. */
  get isSealed(): boolean {
    return this.#decryption?.isSealed ?? false;
  }

  get lacksSecret(): boolean {
    return this.#decryption?.lacksSecret ?? false;
  }

  /** Where, in the server's TLS stream, the encrypted records begin. */
  get sealedFrom(): number | undefined {
    return this.#decryption?.sealedFrom;
  }

  /** True while encrypted records are being read. */
  get isReading(): boolean {
    return this.#decryption?.isOpen ?? false;
  }

  /** Whether it is asked first: a capture's is at hand, whatever a gateway would have asked. */
  mayRead(cases: HiddenCertificates): boolean {
    const { live, secrets } = this.#context;
    const isWanted = cases.wantsKeylog || (!live && cases.isOpen);
    return secrets !== undefined && !this.#isPast && this.#nothing === undefined && isWanted;
  }

  /** There is no secret. */
  giveUp(): void {
    this.#nothing ??= { reason: 'keylog-missing', fault: null, isRefuted: false };
  }

  /** There is one, with which no certificate can be read. */
  onFailure(code: string): void {
    this.#nothing =
      code === 'psk'
        ? { reason: 'resumed-unbound', fault: code, isRefuted: false }
        : { reason: 'keylog-missing', fault: code, isRefuted: true };
  }

  /**
   * Who reads the records behind a ServerHello; in a capture whatever was asked for, because a secret may show it.
   * `isAwaited`: something is to be decided by them.
   */
  read({ clientHello, retry, serverHello }: HelloMessages, isAwaited: boolean): Decryption | undefined {
    const context = this.#context;
    const { secrets, live, snapshot } = context;
    this.#isPast = live && !isAwaited;
    if (secrets === undefined || this.#isPast) return undefined;
    const decryption = new Decryption({
      hellos: {
        clientHello: clientHello.body,
        serverHello: serverHello.body,
        retry: retry && { helloRetryRequest: retry.request.body, clientHello: retry.clientHello.body },
      },
      version: serverHello.version,
      cipherSuite: serverHello.cipherSuite,
      offersRawPublicKey: clientHello.offersRawPublicKey,
      limits: snapshot.policy.limits,
      dateMs: () => context.dateMs(),
      listener: this.#listener(),
    });
    this.#decryption = decryption;
    this.#clientRandom = clientHello.random;
    let inTime = true;
    secrets.ask(clientHello.random, (secret) => {
      decryption.onSecret(secret);
      if (!inTime) context.settled();
    });
    inTime = false;
    // A capture's secrets are all there are.
    if (!live && decryption.lacksSecret) this.#decryption = undefined;
    return this.#decryption;
  }

  /** Records of the server's are missing: the others open no more. */
  onGap(): void {
    this.#decryption = undefined;
  }

  /** Nothing is waited for any more. */
  close(): void {
    if (this.#context.live && this.#clientRandom !== undefined) this.#context.secrets?.forget(this.#clientRandom);
  }
}
