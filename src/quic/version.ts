/**
 * Versions of QUIC whose first packets can be read: 1 (RFC 9001), 2 (RFC 9369), and the drafts and early deployments
 * that are still met in captures. All of them are read in one way; what differs is in this table. An unknown version is
 * undefined and no error.
 */

export interface QuicVersion {
  readonly initialSalt: Uint8Array;
  /** What comes before `key`, `iv` and `hp` in the labels of keys. */
  readonly label: 'quic' | 'quicv2';
  /** Long packet types (RFC 9000 §17.2, RFC 9369 §3.2), the two bits at their place. */
  readonly types: LongPacketTypes;
  /** Frame type of CRYPTO. */
  readonly cryptoFrame: number;
}

export interface LongPacketTypes {
  readonly initial: number;
  readonly zeroRtt: number;
  readonly handshake: number;
  readonly retry: number;
}

export function quicVersion(version: number): QuicVersion | undefined {
  const known = VERSIONS.get(version);
  if (known !== undefined) return known;
  // RFC 9000 §15: nobody speaks these. Clients that want to see a Version Negotiation mostly protect them like this.
  if ((version & 0x0f0f0f0f) === RESERVED) return DRAFT_29;
  if (version >>> 8 !== DRAFTS) return undefined;
  const draft = version & 0xff;
  if (draft > 34 || draft < 21) return undefined;
  return draft >= 33 ? V1 : draft >= 29 ? DRAFT_29 : draft >= 23 ? DRAFT_23 : DRAFT_21;
}

/** RFC 8999 §6: not a version but the sign of Version Negotiation. */
export const VERSION_NEGOTIATION = 0;
export const QUIC_V1 = 0x00000001;
export const QUIC_V2 = 0x6b3343cf;

const TYPES_V1: LongPacketTypes = { initial: 0x00, zeroRtt: 0x10, handshake: 0x20, retry: 0x30 };
const TYPES_V2: LongPacketTypes = { initial: 0x10, zeroRtt: 0x20, handshake: 0x30, retry: 0x00 };
const CRYPTO = 0x06;
/** Of versions that have IETF's packets and Google's frames. */
const GOOGLE_CRYPTO = 0x08;

const V1 = version('38762cf7f55934b34d179ae6a4c80cadccbb7f0a');
const V2: QuicVersion = {
  ...version('0dede3def700a6db819381be6e269dcbf9bd2ed9'),
  label: 'quicv2',
  types: TYPES_V2,
};
const DRAFT_29 = version('afbfec289993d24c9e9786f19c6111e04390a899');
const DRAFT_23 = version('c3eef712c72ebb5a11a7d2432bb46365bef9f502');
const DRAFT_21 = version('7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a');

const RESERVED = 0x0a0a0a0a;
/** 0xff0000NN is draft NN. */
const DRAFTS = 0xff0000;
const VERSIONS: ReadonlyMap<number, QuicVersion> = new Map([
  [QUIC_V1, V1],
  [QUIC_V2, V2],
  // Facebook's mvfst.
  [0xfaceb001, DRAFT_21],
  [0xfaceb002, DRAFT_23],
  [0xfaceb00e, DRAFT_23],
  // Google's, with TLS: T050 and T051.
  [0x54303530, { ...version('7ff579e5acd072915580304c43a2367c60488310'), cryptoFrame: GOOGLE_CRYPTO }],
  [0x54303531, { ...version('7a4edef4e7ccee5fa4506c19124fc8ccda6e033d'), cryptoFrame: GOOGLE_CRYPTO }],
]);

function version(salt: string): QuicVersion {
  return { initialSalt: Buffer.from(salt, 'hex'), label: 'quic', types: TYPES_V1, cryptoFrame: CRYPTO };
}
