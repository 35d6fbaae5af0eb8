/** How connection tracking is set, in so far as the rules rely on it. */

/** Whether segments outside of the window are as good as those within. Where it is not loaded, no rule asks for it. */
export function isLiberal(setting: string | undefined): boolean {
  return setting !== undefined && setting !== '0';
}

export const LIBERAL = '/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal';
