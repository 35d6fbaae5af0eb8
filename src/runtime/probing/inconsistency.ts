/** What operators are told of a server that shows probes different chains. */
import type { ServedSince } from '../../probe/served.ts';
import { addressText } from '../../report/eve.ts';
import { sha256Hex } from '../../x509/fingerprint.ts';

/** Each certificate's digest, the leaf's first, of what was shown last and before; and who was served in between. */
export function inconsistencyText(chains: readonly (readonly Uint8Array[])[], served: ServedSince): string {
  const digests = chains.map((chain) => chain.map(sha256Hex).join(' ')).join('; ');
  const said = `a probe was shown another chain than one before it: ${digests}`;
  const clients = served.clients.map(({ address, port }) => endpointText(addressText(address), port));
  if (clients.length === 0) return said;
  const others = served.others === 0 ? '' : ` and ${served.others} others`;
  return `${said}; served in between: ${clients.join(', ')}${others}`;
}

function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
