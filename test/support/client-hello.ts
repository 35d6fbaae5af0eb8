/** Bodies of ClientHello messages, field by field. */
import { u16 } from './capture-bytes.ts';

export interface HelloFields {
  readonly version?: number;
  readonly cipherSuites: readonly number[];
  /** Type and data, in order; null: no extensions field at all. */
  readonly extensions: readonly (readonly [number, Buffer])[] | null;
}

export function clientHelloBody(fields: HelloFields): Buffer {
  const suites = Buffer.concat(fields.cipherSuites.map((suite) => u16(suite)));
  const fixed = [u16(fields.version ?? 0x0303), Buffer.alloc(32, 7), Buffer.from([0])];
  const head = [...fixed, u16(suites.length), suites, Buffer.from([1, 0])];
  if (fields.extensions === null) return Buffer.concat(head);
  const extensions = Buffer.concat(fields.extensions.flatMap(([type, data]) => [u16(type), u16(data.length), data]));
  return Buffer.concat([...head, u16(extensions.length), extensions]);
}

export function vector8(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([body.length]), body]);
}

export function vector16(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([u16(body.length), body]);
}

export function alpn(...values: readonly (string | Buffer)[]): readonly [number, Buffer] {
  return [16, vector16(...values.map((value) => vector8(Buffer.from(value as string))))];
}

export function signatureAlgorithms(...values: readonly number[]): readonly [number, Buffer] {
  return [13, vector16(...values.map((value) => u16(value)))];
}

export function supportedVersions(...values: readonly number[]): readonly [number, Buffer] {
  return [43, vector8(...values.map((value) => u16(value)))];
}

export function serverName(name: string): readonly [number, Buffer] {
  return [0, vector16(Buffer.from([0]), vector16(Buffer.from(name)))];
}
