/** IPVS: it takes connections to its services ahead of being forwarded, and hands them to servers of its choice. */
import type { Ports } from '../plan.ts';
import { overlap } from '../ports.ts';

/** Of what the kernel shows of them, those that take connections to one of the ports; one phrase each. */
export function virtualServers(text: string | undefined, ports: Ports): string[] {
  return [...(text ?? '').matchAll(SERVICE)].flatMap(([, tcp, port, mark]) => {
    if (mark !== undefined) return [`IPVS has a service for packets with the mark 0x${mark.replace(/^0+(?=.)/, '')}`];
    const number = Number.parseInt(port!, 16);
    const isAny = number === 0;
    if (!isAny && !overlap([[number, number]], ports)) return [];
    return [`IPVS has a service at ${addressOf(tcp!)}${isAny ? '' : ` port ${number}`}`];
  });
}

/** `C0000207`, `[2001:0db8:…]`. */
function addressOf(hex: string): string {
  if (hex.startsWith('[')) return hex.slice(1, -1);
  return [0, 2, 4, 6].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
}

export const VIRTUAL_SERVERS = '/proc/net/ip_vs';

/** `TCP  C0000207:01BB wlc `, `FWM  00000001 wlc `. */
const SERVICE = /^(?:TCP {2}([0-9A-F]{8}|\[[0-9a-f:]+\]):([0-9A-F]{4})|FWM {2}([0-9A-F]{8})) /gm;
