/**
 * The part of TLS 1.3's key schedule (RFC 8446 §7.1, §7.3, §4.4.4) that leads to the keys of a full handshake: from
 * the shared secret and the hellos to both traffic secrets, and from a secret to key and IV, and to Finished. Of what comes
 * after the handshake there is what a client needs that goes away then.
 *
 *        0 ─▶ Early Secret ─derived─▶ Handshake Secret ─derived─▶ Master Secret ─▶ c ap traffic ─▶ key, iv
 *        0 ────────┘      (EC)DHE ────────┘ │        0 ───────────────┘
 *                                           └─▶ c hs traffic, s hs traffic ─▶ key, iv, finished
 */
import {
  type CipherCCMTypes,
  type CipherChaCha20Poly1305Types,
  type CipherGCMTypes,
  createHmac,
  hash,
} from 'node:crypto';

/** What a cipher suite of TLS 1.3 stands for (RFC 8446 appendix B.4), in node:crypto's names. */
export interface Tls13Suite {
  readonly hash: 'sha256' | 'sha384';
  readonly hashLength: number;
  readonly aead: CipherGCMTypes | CipherCCMTypes | CipherChaCha20Poly1305Types;
  readonly keyLength: number;
  readonly tagLength: number;
}

/** Undefined for a number that is no suite of TLS 1.3 or that cannot be decrypted here. */
export function tls13SuiteOf(cipherSuite: number): Tls13Suite | undefined {
  return SUITES.get(cipherSuite);
}

/** Of a handshake without a PSK. What its reader may never ask for is made when he does. */
export class HandshakeTrafficSecrets {
  readonly server: Uint8Array;
  readonly #suite: Tls13Suite;
  readonly #handshakeSecret: Uint8Array;
  readonly #helloHash: Uint8Array;

  /** `helloHash`: of the transcript up to ServerHello. */
  constructor(suite: Tls13Suite, sharedSecret: Uint8Array, helloHash: Uint8Array) {
    this.#suite = suite;
    this.#handshakeSecret = extract(suite, withoutPsk(suite).derivedEarlySecret, sharedSecret);
    this.#helloHash = helloHash;
    this.server = deriveSecret(suite, this.#handshakeSecret, 's hs traffic', helloHash);
  }

  get client(): Uint8Array {
    return deriveSecret(this.#suite, this.#handshakeSecret, 'c hs traffic', this.#helloHash);
  }

  /** What secrets of the application's traffic are made of. */
  get master(): Uint8Array {
    const { zeros, nothing } = withoutPsk(this.#suite);
    return extract(this.#suite, deriveSecret(this.#suite, this.#handshakeSecret, 'derived', nothing), zeros);
  }
}

/** `handshakeHash`: of the transcript up to the server's Finished. */
export function clientTrafficSecret(suite: Tls13Suite, master: Uint8Array, handshakeHash: Uint8Array): Uint8Array {
  return deriveSecret(suite, master, 'c ap traffic', handshakeHash);
}

/** RFC 8446 §4.4.4: verify_data of whoever has this traffic secret, of the transcript up to his message. */
export function verifyData(suite: Tls13Suite, trafficSecret: Uint8Array, transcriptHash: Uint8Array): Uint8Array {
  const finishedKey = expandLabel(suite, trafficSecret, 'finished', EMPTY, suite.hashLength);
  return createHmac(suite.hash, finishedKey).update(transcriptHash).digest();
}

export interface TrafficKeys {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

export function trafficKeys(suite: Tls13Suite, trafficSecret: Uint8Array): TrafficKeys {
  return {
    key: expandLabel(suite, trafficSecret, 'key', EMPTY, suite.keyLength),
    iv: expandLabel(suite, trafficSecret, 'iv', EMPTY, IV_LENGTH),
  };
}

/** HKDF-Expand-Label; `length` is at most 255. */
export function expandLabel(
  suite: Tls13Suite,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const fullLabel = Buffer.from(`tls13 ${label}`, 'latin1');
  const info = Buffer.concat([
    Uint8Array.of(0, length, fullLabel.length),
    fullLabel,
    Uint8Array.of(context.length),
    context,
  ]);
  return expand(suite, secret, info, length);
}

export function deriveSecret(suite: Tls13Suite, secret: Uint8Array, label: string, messages: Uint8Array): Uint8Array {
  return expandLabel(suite, secret, label, messages, suite.hashLength);
}

/** What is the same in every handshake without a PSK. */
function withoutPsk(suite: Tls13Suite): Constants {
  let known = CONSTANTS.get(suite.hash);
  if (known === undefined) {
    const zeros = new Uint8Array(suite.hashLength);
    const nothing = hash(suite.hash, '', 'buffer');
    const derivedEarlySecret = deriveSecret(suite, extract(suite, zeros, zeros), 'derived', nothing);
    CONSTANTS.set(suite.hash, (known = { zeros, nothing, derivedEarlySecret }));
  }
  return known;
}

interface Constants {
  readonly zeros: Uint8Array;
  /** The hash of no message. */
  readonly nothing: Uint8Array;
  /** Of the Early Secret, for the Handshake Secret. */
  readonly derivedEarlySecret: Uint8Array;
}

/** RFC 5869 §2.2. */
function extract(suite: Tls13Suite, salt: Uint8Array, inputKeyingMaterial: Uint8Array): Uint8Array {
  return createHmac(suite.hash, salt).update(inputKeyingMaterial).digest();
}

/** RFC 5869 §2.3. */
function expand(suite: Tls13Suite, secret: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let i = 1; blocks.length * suite.hashLength < length; i++) {
    const hmac = createHmac(suite.hash, secret).update(blocks.at(-1) ?? EMPTY);
    blocks.push(hmac.update(info).update(Uint8Array.of(i)).digest());
  }
  return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
}

const SUITES: ReadonlyMap<number, Tls13Suite> = new Map([
  [0x1301, { hash: 'sha256', hashLength: 32, aead: 'aes-128-gcm', keyLength: 16, tagLength: 16 }],
  [0x1302, { hash: 'sha384', hashLength: 48, aead: 'aes-256-gcm', keyLength: 32, tagLength: 16 }],
  [0x1303, { hash: 'sha256', hashLength: 32, aead: 'chacha20-poly1305', keyLength: 32, tagLength: 16 }],
  [0x1304, { hash: 'sha256', hashLength: 32, aead: 'aes-128-ccm', keyLength: 16, tagLength: 16 }],
  [0x1305, { hash: 'sha256', hashLength: 32, aead: 'aes-128-ccm', keyLength: 16, tagLength: 8 }],
]);
const CONSTANTS = new Map<Tls13Suite['hash'], Constants>();
/** RFC 8446 §5.3: what all these AEADs take. */
const IV_LENGTH = 12;
const EMPTY = new Uint8Array(0);
