/** The name by which pinsets are selected and certificates checked. RFC 6066 §3: an address literal is no name. */
export function effectiveName(serverName: string | null): string | null {
  return serverName === null || /^[\d.]+$/.test(serverName) ? null : serverName;
}
