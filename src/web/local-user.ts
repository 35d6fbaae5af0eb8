/**
 * Whose process is at the other end of a connection over loopback, as the kernel says in /proc/net/tcp and tcp6: all
 * users of a machine come from one address, and none of them shall use up what another one may try.
 */
import { readFileSync } from 'node:fs';
import { isIPv4, type Socket } from 'node:net';

import ipaddr from 'ipaddr.js';

type Ends = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localPort'>;

/** Undefined where it is not of this machine, or gone. */
export function localUserOf({ remoteAddress, remotePort, localPort }: Ends): number | undefined {
  if (remoteAddress === undefined || ipaddr.process(remoteAddress).range() !== 'loopback') return undefined;
  const tables = isIPv4(remoteAddress) ? ['/proc/net/tcp'] : ['/proc/net/tcp6', '/proc/net/tcp'];
  for (const table of tables) {
    const found = rowsOf(table).find((row) => row.local === remotePort && row.remote === localPort);
    if (found !== undefined) return found.uid;
  }
  return undefined;
}

function rowsOf(table: string): { readonly local: number; readonly remote: number; readonly uid: number }[] {
  let text: string;
  try {
    text = readFileSync(table, 'latin1');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .map(([, local = '', remote = '', , , , , uid = '']) => ({
      ...{ local: portOf(local), remote: portOf(remote), uid: Number(uid) },
    }));
}

/** `0100007F:1F90`. */
function portOf(end: string): number {
  return Number.parseInt(end.split(':')[1] ?? '', 16);
}
