/** Denials of genuine servers that are no fault of tlspin's: which, and why. */
import type { Version } from './place.ts';

export interface Explained {
  readonly letter: string;
  readonly client: RegExp;
  readonly server: RegExp;
  readonly versions: readonly Version[];
  readonly why: string;
}

export const EXPLAINED: readonly Explained[] = [
  {
    letter: 's',
    client: /./,
    server: /^(openssl s_server|gnutls-serv|Python http.server)$/,
    versions: ['1.2', '1.3'],
    why: `denied, with \`probe-failed\`: a server that serves one connection at a time has no answer for a probe while it waits for
  the client whose packets wait for that answer. Clients that take more than a second until their first word, or a fifth of one where nobody was heard before, meet it,
  and those that offer a session of TLS 1.2 in which they have said nothing (\`gnutls-cli --resume\`), since only their server's answer tells whether it is asked for.`,
  },
];
