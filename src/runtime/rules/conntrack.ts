/** How connection tracking is set, in so far as the rules rely on it. */
import { readFileSync } from 'node:fs';

/** Whether segments outside of the window are as good as those within. */
export function readLiberal(): boolean {
  try {
    return isLiberal(readFileSync(LIBERAL, 'utf8').trim());
  } catch {
    return false; // it is not loaded, so no rule asks for it
  }
}

export function isLiberal(setting: string | undefined): boolean {
  return setting !== undefined && setting !== '0';
}

export const LIBERAL = '/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal';
