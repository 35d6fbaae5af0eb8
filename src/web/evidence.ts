/**
 * What else there is to be had about an entry of the inbox, asked for by a click: what its server shows to the console
 * itself. Whoever asks is as little privileged as the console, and not asked again and again: the name came from a client.
 */
import type { InboxEntry } from '../runtime/incident/inbox.ts';
import type { Audited } from './api.ts';
import { Buckets } from './sessions.ts';

/** `known`: addresses that clients went to, besides those of the name. */
export type AskServer = (host: string, port: number, known: readonly string[]) => Promise<Answers>;

export interface Answers {
  readonly shown: readonly Omit<Audited['shown'][number], 'is'>[];
  readonly failures: Audited['failures'];
}

export class Evidence {
  readonly #ask: AskServer;
  readonly #entries = new Buckets({ perSecond: 1 / 15, burst: 1 });
  readonly #all = new Buckets({ perSecond: 0.2, burst: 5 });

  constructor(ask: AskServer) {
    this.#ask = ask;
  }

  /** Undefined: it is too often. Rejects with a sentence. */
  async audit({ id, host, key, before, servers }: InboxEntry): Promise<Audited | undefined> {
    if (!this.#entries.take(id) || !this.#all.take('')) return undefined;
    const [server = ''] = servers.known.map(({ value }) => value);
    const known = servers.known.map(({ value }) => hostOf(value)).slice(0, KNOWN);
    const { shown, failures } = await this.#ask(hostOf(host), portOf(host) ?? portOf(server) ?? HTTPS, known);
    const old = before?.leaf?.spki_sha256 ?? null;
    return {
      at: new Date().toISOString(),
      shown: shown.map((one) => {
        const isBefore = old !== null && one.key === `spki-sha256:${old}`;
        return { ...one, is: one.key === key ? 'new' : isBefore ? 'before' : 'other' };
      }),
      failures,
    };
  }
}

/** `www.bank.example`, `192.0.2.1:443`, `[2001:db8::1]:443`. */
function hostOf(text: string): string {
  const [, literal] = /^\[(.*)\](?::\d+)?$/.exec(text) ?? [];
  return literal ?? (text.split(':').length > 2 ? text : text.replace(/:\d+$/, ''));
}

function portOf(text: string): number | undefined {
  const [, port] = /^(?:\[.*\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
  return port === undefined ? undefined : Number(port);
}

const HTTPS = 443;
const KNOWN = 4;
