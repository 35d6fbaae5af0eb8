/**
 * The ClientHello (RFC 8446 §4.1.2) of somebody who wants to see a certificate and is content with any: every cipher
 * suite that shows one, every version from 1.0 on. Random, session id and keys are the handshake's to fill in.
 */
import { EXTENSION, VERSION } from '../../tls/constants.ts';
import { canShare, GROUP } from '../../probe/key-share.ts';
import { cipherSuiteName } from '../../tls/cipher-suites.ts';

export type VersionWish = '1.2' | '1.3';
/** Of what kind the server's key is to be; `ecdsa`: EdDSA too. */
export type KeyWish = 'rsa' | 'ecdsa';

/** `serverName` null: no name is sent. `wish`: 1.2 and older, or 1.3 alone; undefined: whatever the server likes best. */
export function clientHello(serverName: string | null, wish: VersionWish | undefined, keys?: KeyWish): Uint8Array {
  const versions = wish === '1.2' ? OLDER : wish === '1.3' ? [VERSION.tls13] : [VERSION.tls13, ...OLDER];
  const isTls13 = versions.includes(VERSION.tls13);
  const groups = GROUPS.filter(canShare);
  const extensions: (readonly [number, Uint8Array])[] = [
    ...(serverName === null ? [] : [[EXTENSION.serverName, serverNameList(serverName)] as const]),
    [EC_POINT_FORMATS, Uint8Array.of(1, 0)],
    [EXTENSION.supportedGroups, vector16(numbers(groups))],
    [
      EXTENSION.signatureAlgorithms,
      vector16(
        numbers(SIGNATURE_SCHEMES.filter((scheme) => keys === undefined || isOfRsa(scheme) === (keys === 'rsa'))),
      ),
    ],
    [EXTENDED_MASTER_SECRET, EMPTY],
    [RENEGOTIATION_INFO, Uint8Array.of(0)],
    ...(isTls13
      ? ([
          [EXTENSION.supportedVersions, vector8(numbers(versions))],
          [EXTENSION.pskKeyExchangeModes, Uint8Array.of(1, 1)],
          [EXTENSION.keyShare, vector16(Buffer.concat(SHARED.map(emptyShare)))],
        ] as const)
      : []),
  ];
  return Buffer.concat([
    numbers([VERSION.tls12]),
    new Uint8Array(32),
    vector8(new Uint8Array(isTls13 ? 32 : 0)),
    vector16(
      numbers([
        ...(isTls13 ? TLS13_SUITES : []),
        ...(wish === '1.3' ? [] : OLDER_SUITES.filter((suite) => fitsKeys(suite, keys))),
      ]),
    ),
    vector8(Uint8Array.of(0)),
    vector16(Buffer.concat(extensions.flatMap(([type, body]) => [numbers([type]), vector16(body)]))),
  ]);
}

/** RFC 8446 §4.2.3: RSASSA-PKCS1-v1_5 and RSASSA-PSS of either kind of key. */
function isOfRsa(scheme: number): boolean {
  return (scheme & 0xff) === 0x01 || (scheme >= 0x0804 && scheme <= 0x0806) || (scheme >= 0x0809 && scheme <= 0x080b);
}

/** Of suites up to TLS 1.2, which say it themselves. */
function fitsKeys(suite: number, keys: KeyWish | undefined): boolean {
  const name = cipherSuiteName(suite) ?? '';
  if (keys === undefined || name.includes('_DSS_')) return keys === undefined;
  return name.includes('_ECDSA_') === (keys === 'ecdsa');
}

/** RFC 6066 §3. */
function serverNameList(name: string): Uint8Array {
  return vector16(Buffer.concat([Uint8Array.of(0), vector16(Buffer.from(name, 'latin1'))]));
}

/** The handshake makes the key. */
function emptyShare(group: number): Uint8Array {
  return Buffer.concat([numbers([group]), vector16(Uint8Array.of(0))]);
}

function numbers(values: readonly number[]): Uint8Array {
  return Buffer.concat(values.map((value) => Uint8Array.of(value >> 8, value & 0xff)));
}

function vector8(body: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(body.length), body]);
}

function vector16(body: Uint8Array): Uint8Array {
  return Buffer.concat([numbers([body.length]), body]);
}

const OLDER: readonly number[] = [VERSION.tls12, VERSION.tls11, VERSION.tls10];
const GROUPS: readonly number[] = [
  GROUP.x25519,
  GROUP.secp256r1,
  GROUP.secp384r1,
  GROUP.secp521r1,
  GROUP.x448,
  GROUP.x25519Mlkem768,
  GROUP.secp256r1Mlkem768,
];
/** Those that nearly every server takes, so that it need not ask again. */
const SHARED: readonly number[] = [GROUP.x25519, GROUP.secp256r1];
const TLS13_SUITES: readonly number[] = [0x1301, 0x1302, 0x1303];
/** ECDHE, DHE and static RSA; with ECDSA first, as most clients have it. */
const OLDER_SUITES: readonly number[] = [
  0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8, 0xc0ac, 0xc0ad, 0xc023, 0xc024, 0xc027, 0xc028, 0xc009, 0xc00a,
  0xc013, 0xc014, 0x009e, 0x009f, 0xccaa, 0x0067, 0x006b, 0x0033, 0x0039, 0x00a2, 0x00a3, 0x0040, 0x006a, 0x0032,
  0x0038, 0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0xc008, 0xc012, 0x0016, 0x000a, 0xc011, 0x0005,
];
/** ECDSA, EdDSA, RSA-PSS of either kind of key, PKCS#1, and what old servers have. */
const SIGNATURE_SCHEMES: readonly number[] = [
  0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501, 0x0601,
  0x0402, 0x0203, 0x0201, 0x0202,
];
const EC_POINT_FORMATS = 11;
const EXTENDED_MASTER_SECRET = 23;
const RENEGOTIATION_INFO = 0xff01;
const EMPTY = new Uint8Array(0);
