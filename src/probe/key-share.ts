/**
 * Ephemeral keys for key_share (RFC 8446 §4.2.8, §7.4; RFC 8734; hybrids of draft-ietf-tls-ecdhe-mlkem, and
 * draft-ietf-tls-mlkem): one's own share of a group and the secret that it makes with the server's. What no runtime
 * makes is not offered.
 */
import * as crypto from 'node:crypto';

import { ml_kem1024, ml_kem512, ml_kem768 } from '@noble/post-quantum/ml-kem.js';

import { type FieldOctets, finiteField } from './finite-field.ts';

export interface OwnKeyShare {
  /** NamedGroup. */
  readonly group: number;
  /** KeyShareEntry.key_exchange. */
  readonly keyExchange: Uint8Array;
  /** Undefined where the server's share is not one of this group. Never throws. */
  agree(serverKeyExchange: Uint8Array): Uint8Array | undefined;
}

/** Undefined for a group that this runtime cannot do. */
export function createKeyShare(group: number): OwnKeyShare | undefined {
  const exchange = GROUPS.get(group)?.();
  if (exchange === undefined) return undefined;
  return {
    group,
    keyExchange: exchange.share,
    agree(serverKeyExchange) {
      try {
        return exchange.agree(serverKeyExchange);
      } catch {
        return undefined;
      }
    },
  };
}

export function canShare(group: number): boolean {
  return GROUPS.has(group);
}

/** NamedGroup, "TLS Supported Groups". */
export const GROUP = {
  secp256r1: 0x0017,
  secp384r1: 0x0018,
  secp521r1: 0x0019,
  x25519: 0x001d,
  x448: 0x001e,
  brainpoolP256r1: 0x001f,
  brainpoolP384r1: 0x0020,
  brainpoolP512r1: 0x0021,
  ffdhe2048: 0x0100,
  ffdhe3072: 0x0101,
  ffdhe4096: 0x0102,
  mlkem512: 0x0200,
  mlkem768: 0x0201,
  mlkem1024: 0x0202,
  secp256r1Mlkem768: 0x11eb,
  x25519Mlkem768: 0x11ec,
  secp384r1Mlkem1024: 0x11ed,
} as const;

interface Exchange {
  readonly share: Uint8Array;
  /** Octets of the share that comes back; any other number is none. */
  readonly answerLength: number;
  /** Throws or is undefined for what is no share. */
  agree(answer: Uint8Array): Uint8Array | undefined;
}

/** RFC 8446 §7.4.2: the x coordinate, with its leading zeros; OpenSSL refuses points that are not on the curve. */
function ecdh(curve: string, pointLength: number): Exchange {
  const ecdh = crypto.createECDH(curve);
  const share = ecdh.generateKeys();
  // RFC 8446 §4.2.8.2: uncompressed points only.
  const isPoint = (answer: Uint8Array) => answer.length === pointLength && answer[0] === 4;
  return {
    share,
    answerLength: pointLength,
    agree: (answer) => (isPoint(answer) ? ecdh.computeSecret(answer) : undefined),
  };
}

/**
 * RFC 7748; OpenSSL refuses points that lead to the all-zero secret. Keys come and go as JWK (RFC 8037), since its way from
 * and to DER takes longer than the exchange.
 */
function montgomery(curve: 'x25519' | 'x448', length: number): Exchange {
  const { publicKey, privateKey } = crypto.generateKeyPairSync(curve as 'x25519');
  const jwk = publicKey.export({ format: 'jwk' });
  return {
    share: new Uint8Array(Buffer.from(jwk.x!, 'base64url')),
    answerLength: length,
    agree(answer) {
      if (answer.length !== length) return undefined;
      const key = { kty: 'OKP', crv: jwk.crv!, x: Buffer.from(answer).toString('base64url') };
      return crypto.diffieHellman({ privateKey, publicKey: crypto.createPublicKey({ key, format: 'jwk' }) });
    },
  };
}

/** RFC 8446 §4.2.8.1, §7.4.1: shares and secret are as long as the prime, with its leading zeros. */
function finite(octets: FieldOctets): Exchange {
  const own = finiteField(octets);
  return {
    share: padded(own.generateKeys(), octets),
    answerLength: octets,
    agree: (answer) => (answer.length === octets ? padded(own.computeSecret(answer), octets) : undefined),
  };
}

function padded(number: Uint8Array, octets: number): Uint8Array {
  return Buffer.concat([new Uint8Array(octets - number.length), number]);
}

/** FIPS 203; the share is the encapsulation key, the answer a ciphertext. What the runtime has is faster. */
function mlkem(size: keyof typeof ML_KEM): Exchange {
  const { lengths, keygen, decapsulate } = ML_KEM[size];
  if (hasMlkem) {
    const { publicKey, privateKey } = crypto.generateKeyPairSync(`ml-kem-${size}` as 'x25519');
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    return {
      share: spki.subarray(spki.length - lengths.publicKey!),
      answerLength: lengths.cipherText!,
      agree: (answer) => native.decapsulate!(privateKey, answer),
    };
  }
  const { publicKey, secretKey } = keygen();
  return {
    share: publicKey,
    answerLength: lengths.cipherText!,
    agree: (answer) => decapsulate(answer, secretKey),
  };
}

/** Both shares, answers and secrets stand in the same order, one behind the other. */
function hybrid(first: Exchange, second: Exchange): Exchange {
  const answerLength = first.answerLength + second.answerLength;
  return {
    share: Buffer.concat([first.share, second.share]),
    answerLength,
    agree(answer) {
      if (answer.length !== answerLength) return undefined;
      const one = first.agree(answer.subarray(0, first.answerLength));
      const other = second.agree(answer.subarray(first.answerLength));
      return one === undefined || other === undefined ? undefined : Buffer.concat([one, other]);
    },
  };
}

const ML_KEM = { 512: ml_kem512, 768: ml_kem768, 1024: ml_kem1024 } as const;

/** Node 24.7 and later, over OpenSSL 3.5; not in the types of Node 20. */
const native = crypto as { decapsulate?: (key: crypto.KeyObject, ciphertext: Uint8Array) => Buffer };
const hasMlkem = isNative();

function isNative(): boolean {
  if (native.decapsulate === undefined) return false;
  try {
    crypto.generateKeyPairSync('ml-kem-512' as 'x25519');
    return true;
  } catch {
    return false; // a Node that links an OpenSSL without it
  }
}

const p256 = () => ecdh('prime256v1', 65);
const p384 = () => ecdh('secp384r1', 97);
const x25519 = () => montgomery('x25519', 32);

/** Some distributions leave them out of OpenSSL. */
const BRAINPOOL = [
  [GROUP.brainpoolP256r1, () => ecdh('brainpoolP256r1', 65)],
  [GROUP.brainpoolP384r1, () => ecdh('brainpoolP384r1', 97)],
  [GROUP.brainpoolP512r1, () => ecdh('brainpoolP512r1', 129)],
] as const;

const GROUPS: ReadonlyMap<number, () => Exchange> = new Map([
  [GROUP.secp256r1, p256],
  [GROUP.secp384r1, p384],
  [GROUP.secp521r1, () => ecdh('secp521r1', 133)],
  [GROUP.x25519, x25519],
  [GROUP.x448, () => montgomery('x448', 56)],
  ...(crypto.getCurves().includes('brainpoolP512r1') ? BRAINPOOL : []),
  [GROUP.ffdhe2048, () => finite(256)],
  [GROUP.ffdhe3072, () => finite(384)],
  [GROUP.ffdhe4096, () => finite(512)],
  [GROUP.mlkem512, () => mlkem(512)],
  [GROUP.mlkem768, () => mlkem(768)],
  [GROUP.mlkem1024, () => mlkem(1024)],
  [GROUP.secp256r1Mlkem768, () => hybrid(p256(), mlkem(768))],
  [GROUP.x25519Mlkem768, () => hybrid(mlkem(768), x25519())],
  [GROUP.secp384r1Mlkem1024, () => hybrid(p384(), mlkem(1024))],
] as const);
