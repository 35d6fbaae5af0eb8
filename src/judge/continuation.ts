/**
 * Whether a client goes on with a server whose certificate it was shown: what it was shown, it then believes. A server in
 * the middle can prove a key of its own, but no honest client that looks at certificates sends it anything. Asked only
 * where what the server shows is recorded. Knows records' kinds and lengths; no packets and no pinsets.
 *
 *   unasked ──accepted──▶ awaited ──application data of the client's──▶ seen
 *      └───────────────────────────▶ over ◀──doubt, too many octets──┘
 */
export class Continuation {
  #state: 'unasked' | 'awaited' | 'seen' | 'over' = 'unasked';
  #hidesTypes = false;
  #records = 0;

  /** True from the decision until it is known. */
  get isAwaited(): boolean {
    return this.#state === 'awaited';
  }

  /** The client has gone on. */
  get isSeen(): boolean {
    return this.#state === 'seen';
  }

  /** True for a connection that waits for a client which may rest (RFC 9293 knows no limit). */
  get wasAsked(): boolean {
    return this.#state !== 'unasked';
  }

  /** `hidesTypes`: every record looks like application data (RFC 8446 §5.2). */
  begin(hidesTypes: boolean): void {
    if (this.#state !== 'unasked') return;
    this.#state = 'awaited';
    this.#hidesTypes = hidesTypes;
  }

  /** A record that claims to be application data begins; `length` as on the wire. */
  onData(length: number): void {
    if (this.#state !== 'awaited') return;
    // Of a client that refuses comes an alert; of one that looks at the certificate only afterwards, its Finished before.
    if (this.#hidesTypes && (length <= LONGEST_ALERT || ++this.#records < RECORDS_WITH_DATA)) return;
    this.#state = 'seen';
  }

  /** For datagrams: media may be all that follows a handshake, so its end has to do. */
  onFinished(): void {
    if (this.#state === 'awaited') this.#state = 'seen';
  }

  giveUp(): void {
    this.#state = 'over';
  }
}

/** RFC 8446 §5.2: two octets of alert, one of type, sixteen of tag. */
const LONGEST_ALERT = 19;
/** The first one holds the client's Finished. */
const RECORDS_WITH_DATA = 2;
