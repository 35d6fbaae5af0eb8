/**
 * The pcap-parser package as far as it reads pcap: microsecond files, whole records. It ends silently on truncation and
 * believes every length, so whoever feeds it has looked at both. Each record takes it an object, three events and two
 * views of its input.
 */
import { EventEmitter } from 'node:events';

import pcapParser from 'pcap-parser';

/** Takes what it reads, within `write`. */
export interface PcapRecords {
  onRecord(bytes: Buffer, start: number, end: number, originalLength: number, seconds: number, fraction: number): void;
  onError(message: string): void;
}

export class PcapPackage {
  readonly #input = new ParserInput();
  readonly #records: PcapRecords;
  #seconds = 0;
  #fraction = 0;
  #originalLength = 0;
  #slab: Buffer = Buffer.alloc(0);

  constructor(records: PcapRecords) {
    this.#records = records;
    pcapParser
      .parse(this.#input)
      .on('packetHeader', (header) => {
        this.#seconds = header.timestampSeconds;
        this.#fraction = header.timestampMicroseconds;
        this.#originalLength = header.originalLength;
      })
      .on('packetData', (data) => this.#onPacketData(data))
      .on('error', ({ message }) => records.onError(message));
  }

  /** The file's header, or whole records. */
  write(octets: Buffer): void {
    this.#input.emit('data', octets);
  }

  #onPacketData(data: Buffer): void {
    if (data.buffer !== this.#slab.buffer) this.#slab = Buffer.from(data.buffer);
    const start = data.byteOffset;
    const end = start + data.length;
    this.#records.onRecord(this.#slab, start, end, this.#originalLength, this.#seconds, this.#fraction);
  }
}

/** What the package takes for its input stream: chunks are pushed in by `emit`, and handled before `emit` returns. */
class ParserInput extends EventEmitter {
  pause(): void {}
  resume(): void {}
}
