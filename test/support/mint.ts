/**
 * Certificates made on the spot (RFC 5280 §4.1), with whatever names and extensions a hostile server might send, signed
 * by keys of its own. Valid from 2020 to 2040.
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface Minted {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly der: Uint8Array;
}

export interface MintOptions {
  readonly subject: string;
  /** Absent: it signs itself. */
  readonly issuer?: Pick<Minted, 'subject' | 'privateKey'> | undefined;
  readonly keys?: Pick<Minted, 'publicKey' | 'privateKey'>;
  readonly isCa?: boolean;
  /** dNSNames. */
  readonly names?: readonly string[];
  /** dNSNames that nameConstraints permit. */
  readonly permitted?: readonly string[];
  readonly extensions?: readonly Uint8Array[];
}

export const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

export function mint(options: MintOptions): Minted {
  const { subject, keys = newKeys(), isCa = false, names = [], permitted = [] } = options;
  const issuer = options.issuer ?? { subject, privateKey: keys.privateKey };
  const algorithm = ALGORITHMS[issuer.privateKey.asymmetricKeyType!]!;
  const extensions = [
    extension('551d13', true, element(0x30, ...(isCa ? [element(0x01, Buffer.of(0xff))] : []))),
    ...(names.length === 0 ? [] : [extension('551d11', false, element(0x30, ...names.map(dnsName)))]),
    ...(permitted.length === 0 ? [] : [extension('551d1e', true, element(0x30, subtrees(permitted)))]),
    ...(options.extensions ?? []),
  ];
  const tbs = element(
    0x30,
    element(0xa0, integer(2)),
    integer(++serial),
    algorithm.identifier,
    distinguishedName(issuer.subject),
    element(0x30, utcTime('200101000000Z'), utcTime('400101000000Z')),
    distinguishedName(subject),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa3, element(0x30, ...extensions)),
  );
  const signature = element(0x03, Buffer.of(0), sign(algorithm.digest, tbs, issuer.privateKey));
  return { subject, ...keys, der: new Uint8Array(element(0x30, tbs, algorithm.identifier, signature)) };
}

export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const octets = content.length.toString(16);
  const length = Buffer.from(octets.padStart(octets.length + (octets.length % 2), '0'), 'hex');
  const header = content.length < 0x80 ? Buffer.of(content.length) : Buffer.of(0x80 | length.length, ...length);
  return Buffer.concat([Buffer.of(tag), header, content]);
}

export function extension(oid: string, isCritical: boolean, value: Uint8Array): Buffer {
  const critical = isCritical ? [element(0x01, Buffer.of(0xff))] : [];
  return element(0x30, element(0x06, Buffer.from(oid, 'hex')), ...critical, element(0x04, value));
}

export function distinguishedName(commonName: string): Buffer {
  const attribute = element(0x30, Buffer.from('0603550403', 'hex'), element(0x0c, Buffer.from(commonName)));
  return element(0x30, element(0x31, attribute));
}

const dnsName = (name: string) => element(0x82, Buffer.from(name, 'latin1'));
const subtrees = (names: readonly string[]) => element(0xa0, ...names.map((name) => element(0x30, dnsName(name))));
const utcTime = (text: string) => element(0x17, Buffer.from(text));
const integer = (value: number) =>
  element(0x02, Buffer.of(value >> 16, (value >> 8) & 0xff, value & 0xff).subarray(value < 0x80 ? 2 : 0));

/** By the type of the issuer's key. */
const ALGORITHMS: Readonly<Record<string, { readonly digest: string | null; readonly identifier: Buffer }>> = {
  ec: { digest: 'sha256', identifier: Buffer.from('300a06082a8648ce3d040302', 'hex') },
  ed25519: { digest: null, identifier: Buffer.from('300506032b6570', 'hex') },
  ed448: { digest: null, identifier: Buffer.from('300506032b6571', 'hex') },
};
let serial = 0x10000;
