/** How the configuration has servers reached: the files that it names are read here, and their contents kept in no policy. */
import { readFileSync } from 'node:fs';

import type { FleetPolicy } from '../../pins/policy.ts';
import type { NatsOptions } from './broker.ts';

/** Throws a sentence where a file cannot be read. */
export function natsOptions({ servers, credentials, nkey, tls }: FleetPolicy, name: string): NatsOptions {
  const files = tls && Object.entries(tls).flatMap(([key, path]) => (path === null ? [] : [[key, read(path, key)]]));
  // Without that the client would go on in the clear where a server, or whoever sits in front of it, offers no TLS.
  const needsTls = servers.every((server) => /^tls:/i.test(server));
  return {
    servers,
    name,
    ...(credentials === null ? {} : { credentials: read(credentials, 'credentials') }),
    ...(nkey === null ? {} : { nkey: read(nkey, 'nkey') }),
    ...(files === null && !needsTls ? {} : { tls: Object.fromEntries(files ?? []) as NonNullable<NatsOptions['tls']> }),
  };
}

function read(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(
      `cannot read ${path}, which is "${key}" of the fleet (${code}): see to the path and its permissions`,
      {
        cause,
      },
    );
  }
}
