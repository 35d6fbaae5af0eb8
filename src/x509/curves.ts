/**
 * Named curves (SEC 2, RFC 5639, GB/T 32918): what they are called, and which of them a point lies on, for keys that
 * are written down without their curve. The object identifiers are those of RFC 5480 §2.1.1.1.
 */

export interface NamedCurve {
  readonly name: string;
  readonly oid: string;
  /** Other spellings, lower-case. */
  readonly aliases: readonly string[];
  /** Octets of a coordinate. */
  readonly size: number;
  /** y² = x³ + ax + b modulo p. */
  readonly p: bigint;
  readonly a: bigint;
  readonly b: bigint;
}

/** The curve of a name or object identifier, in any spelling; undefined when it is not known. */
export function curveOf(nameOrOid: string): NamedCurve | undefined {
  const wanted = nameOrOid.toLowerCase();
  return CURVES.find((c) => c.oid === wanted || c.name.toLowerCase() === wanted || c.aliases.includes(wanted));
}

/** The one known curve that an uncompressed point (SEC 1 §2.3.3: 04 ‖ x ‖ y) lies on. */
export function curveOfPoint(point: Uint8Array): NamedCurve | undefined {
  return CURVES.find((curve) => liesOn(curve, point));
}

export function liesOn(curve: NamedCurve, point: Uint8Array): boolean {
  const { size, p, a, b } = curve;
  if (point.length !== 1 + 2 * size || point[0] !== 0x04) return false;
  const x = integer(point.subarray(1, 1 + size));
  const y = integer(point.subarray(1 + size));
  return x < p && y < p && (y * y - (x * x * x + a * x + b)) % p === 0n;
}

function integer(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`);
}

function curve(name: string, oid: string, aliases: string[], p: bigint, a: bigint, b: bigint): NamedCurve {
  return { name, oid, aliases, size: Math.ceil(p.toString(16).length / 2), p, a, b };
}

const P192 = 2n ** 192n - 2n ** 64n - 1n;
const P224 = 2n ** 224n - 2n ** 96n + 1n;
const P256 = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const P384 = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
const P521 = 2n ** 521n - 1n;
const K256 = 2n ** 256n - 2n ** 32n - 977n;
const SM2 = 2n ** 256n - 2n ** 224n - 2n ** 96n + 2n ** 64n - 1n;

const CURVES: readonly NamedCurve[] = [
  curve(
    'P-256',
    '1.2.840.10045.3.1.7',
    ['prime256v1', 'secp256r1', 'p256'],
    P256,
    P256 - 3n,
    0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  ),
  curve(
    'P-384',
    '1.3.132.0.34',
    ['secp384r1', 'p384'],
    P384,
    P384 - 3n,
    0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  ),
  curve(
    'P-521',
    '1.3.132.0.35',
    ['secp521r1', 'p521'],
    P521,
    P521 - 3n,
    0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  ),
  curve('secp256k1', '1.3.132.0.10', [], K256, 0n, 7n),
  curve(
    'P-224',
    '1.3.132.0.33',
    ['secp224r1', 'p224'],
    P224,
    P224 - 3n,
    0xb4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4n,
  ),
  curve(
    'P-192',
    '1.2.840.10045.3.1.1',
    ['prime192v1', 'secp192r1', 'p192'],
    P192,
    P192 - 3n,
    0x64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1n,
  ),
  curve(
    'brainpoolP256r1',
    '1.3.36.3.3.2.8.1.1.7',
    [],
    0xa9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377n,
    0x7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9n,
    0x26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6n,
  ),
  curve(
    'brainpoolP384r1',
    '1.3.36.3.3.2.8.1.1.11',
    [],
    0x8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53n,
    0x7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826n,
    0x04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11n,
  ),
  curve(
    'brainpoolP512r1',
    '1.3.36.3.3.2.8.1.1.13',
    [],
    0xaadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3n,
    0x7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94can,
    0x3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723n,
  ),
  curve(
    'SM2',
    '1.2.156.10197.1.301',
    [],
    SM2,
    SM2 - 3n,
    0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n,
  ),
];
