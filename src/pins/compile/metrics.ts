/** The section `metrics`: where they are to be had. */
import { isIP } from 'node:net';

import type { Reporter } from '../document/message.ts';
import type { Configuration } from '../document/schema.ts';
import type { ReferredFiles } from '../document/files.ts';
import type { ListenAddress, Policy } from '../policy.ts';

export function compileMetrics(
  source: Configuration['metrics'],
  files: ReferredFiles,
  report: Reporter,
): Pick<Policy, 'metrics'> {
  if (source === undefined) return {};
  const listen = listenAddress(source.listen, files);
  if (listen !== undefined) return { metrics: { listen } };
  report.error(
    ['metrics', 'listen'],
    `"${source.listen}" is neither ADDRESS:PORT, such as "127.0.0.1:9477", nor the path of a socket, such as "/run/tlspin/metrics.sock"`,
  );
  return {};
}

function listenAddress(text: string, files: ReferredFiles): ListenAddress | undefined {
  const [, ipv6, ipv4, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = ipv6 ?? ipv4;
  const port = Number(digits);
  if (host !== undefined) {
    return isIP(host) === (ipv6 === undefined ? 4 : 6) && port > 0 && port < 65_536 ? { host, port } : undefined;
  }
  return text.includes('/') ? { path: files.path(text) } : undefined;
}
