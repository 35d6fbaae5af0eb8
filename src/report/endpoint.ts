/** An end of a connection as people type it: ADDRESS:PORT, an IPv6 address in brackets (RFC 3986 §3.2.2). */
import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

export interface Endpoint {
  /** 4 octets for IPv4 and IPv4-mapped IPv6, 16 otherwise. */
  readonly address: Uint8Array;
  readonly port: number;
}

export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** In any spelling of the address, without its brackets too; undefined where it is none. */
export function parseHostPort(text: string): Endpoint | undefined {
  const [, address = '', port] = /^\[?([^[\]%]+)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (isIP(address) === 0) return undefined;
  return { address: new Uint8Array(ipaddr.process(address).toByteArray()), port: Number(port) };
}
