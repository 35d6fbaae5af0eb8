/**
 * What the capture readers share: the form in which they hand over frames, and the error that a bad capture ends with.
 * Readers are fed chunks, in order, and hand over every whole frame of a chunk before they return. They know the file
 * formats and nothing about what the frames hold.
 */

export interface RecordSink {
  /**
   * One captured frame: octets `start` to `end` of `bytes`, which stay as they are until `onChunkEnd`.
   * Time is seconds and microseconds since the epoch.
   */
  onRecord(
    bytes: Buffer,
    start: number,
    end: number,
    originalLength: number,
    linkType: number,
    seconds: number,
    micros: number,
  ): void;
  /** The bytes of the frames handed over so far may now be reused. */
  onChunkEnd(): void;
}

export interface CaptureReader {
  /** Takes the next octets of the file; throws `CaptureError`, after everything before the error was handed over. */
  write(chunk: Buffer): void;
  /** The file ends here; throws `CaptureError` when it ends inside a structure. */
  end(): void;
}

/** A capture that cannot be read further. The message is a clause without the file's name. */
export class CaptureError extends Error {
  /** Offset of the structure at fault, in octets of the (decompressed) file. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`);
    this.name = 'CaptureError';
    this.offset = offset;
  }
}

/**
 * Octets that one captured frame may have: what libpcap calls MAXIMUM_SNAPLEN. A larger length in a record is taken for
 * damage, because nothing is allocated by a length that was only promised.
 */
export const MAX_FRAME_LENGTH = 262_144;
