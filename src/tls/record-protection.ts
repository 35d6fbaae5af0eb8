/**
 * Record protection of TLS 1.3 (RFC 8446 §5.2-5.4): one direction's records under one traffic secret, in their order.
 * Knows nothing of what is inside but the padding and the content type behind it.
 */
import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM } from 'node:crypto';

import { VERSION } from './constants.ts';
import { type Tls13Suite, type TrafficKeys, trafficKeys } from './key-schedule.ts';

/** TLSInnerPlaintext without its padding. */
export interface InnerPlaintext {
  readonly contentType: number;
  readonly content: Uint8Array;
}

export class RecordProtection {
  readonly #suite: Tls13Suite;
  readonly #keys: TrafficKeys;
  readonly #authenticatesHeader: boolean;
  #sequence = 0;

  /** `version`: negotiated. */
  constructor(suite: Tls13Suite, trafficSecret: Uint8Array, version: number = VERSION.tls13) {
    this.#suite = suite;
    this.#keys = trafficKeys(suite, trafficSecret);
    this.#authenticatesHeader = version === VERSION.tls13 || (version & 0xff) >= FIRST_DRAFT_WITH_HEADER;
  }

  /**
   * Opens the next record. `header`: its five octets as sent, which are authenticated too. Undefined when it was not
   * made with this secret or was changed; a contentType of 0 when there is nothing but padding.
   */
  open(header: Uint8Array, encryptedRecord: Uint8Array): InnerPlaintext | undefined {
    const { aead, tagLength } = this.#suite;
    const length = encryptedRecord.length - tagLength;
    if (length < 1) return undefined;
    const options = { authTagLength: tagLength };
    // The names of CCM and GCM are typed apart; their use is the same.
    const decipher = createDecipheriv(aead as 'aes-128-gcm', this.#keys.key, this.#nonce(), options) as DecipherGCM;
    decipher.setAuthTag(encryptedRecord.subarray(length));
    decipher.setAAD(this.#additionalData(header), { plaintextLength: length });
    try {
      const plaintext = decipher.update(encryptedRecord.subarray(0, length));
      decipher.final();
      return withoutPadding(plaintext);
    } catch {
      return undefined;
    }
  }

  /** The next record, header and all, with `padding` zeros behind the content. */
  seal(contentType: number, content: Uint8Array, padding = 0): Uint8Array {
    const { aead, tagLength } = this.#suite;
    const length = content.length + 1 + padding;
    const recordLength = length + tagLength;
    const header = Uint8Array.of(23, 3, 3, recordLength >> 8, recordLength & 0xff);
    const options = { authTagLength: tagLength };
    const cipher = createCipheriv(aead as 'aes-128-gcm', this.#keys.key, this.#nonce(), options) as CipherGCM;
    cipher.setAAD(this.#additionalData(header), { plaintextLength: length });
    const plaintext = Buffer.concat([content, Uint8Array.of(contentType), new Uint8Array(padding)]);
    const encrypted = cipher.update(plaintext);
    cipher.final();
    return new Uint8Array(Buffer.concat([header, encrypted, cipher.getAuthTag()]));
  }

  #additionalData(header: Uint8Array): Uint8Array {
    return this.#authenticatesHeader ? header : header.subarray(0, 0);
  }

  /** RFC 8446 §5.3: the sequence number, padded on the left, over the IV. */
  #nonce(): Uint8Array {
    const nonce = Buffer.from(this.#keys.iv);
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#sequence++) >>> 0, 8);
    return nonce;
  }
}

/** RFC 8446 §5.4: the last octet that is not zero is the content type. */
function withoutPadding(plaintext: Uint8Array): InnerPlaintext {
  let end = plaintext.length;
  while (end > 0 && plaintext[end - 1] === 0) end--;
  if (end === 0) return { contentType: 0, content: plaintext.subarray(0, 0) };
  return { contentType: plaintext[end - 1]!, content: plaintext.subarray(0, end - 1) };
}

/** The drafts before it left it out; captures of them are about. */
const FIRST_DRAFT_WITH_HEADER = 25;
