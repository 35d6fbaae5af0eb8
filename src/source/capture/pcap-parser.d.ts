/** The part of the pcap-parser package that is used; it ships no types of its own. */
declare module 'pcap-parser' {
  interface PacketHeader {
    timestampSeconds: number;
    timestampMicroseconds: number;
    capturedLength: number;
    originalLength: number;
  }

  interface GlobalHeader {
    magicNumber: number;
    linkLayerType: number;
  }

  interface Parser {
    on(event: 'globalHeader', listener: (header: GlobalHeader) => void): this;
    on(event: 'packetHeader', listener: (header: PacketHeader) => void): this;
    on(event: 'packetData', listener: (data: Buffer) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  /** `input` is paused, listened to for `data`, `error` and `end`, and resumed on the next tick. */
  const pcapParser: { parse(input: NodeJS.EventEmitter & { pause(): void; resume(): void }): Parser };
  export default pcapParser;
}
