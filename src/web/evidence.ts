/**
 * What else there is to be had about an entry of the inbox, asked for by a click: what its server shows to the console
 * itself. Whoever asks is as little privileged as the console, and not asked again and again: the name came from a client.
 */
import type { InboxEntry } from '../runtime/incident/inbox.ts';
import type { Audited } from './api.ts';
import type { AskFleet } from './elsewhere.ts';
import { Buckets } from './sessions.ts';

/** `known`: addresses that clients went to, besides those of the name. */
export type AskServer = (host: string, port: number, known: readonly string[]) => Promise<Answers>;

export interface Answers {
  readonly shown: readonly Omit<Audited['shown'][number], 'is'>[];
  readonly failures: Audited['failures'];
}

export class Evidence {
  readonly #ask: AskServer;
  readonly #askFleet: AskFleet | undefined;
  readonly #entries = new Buckets({ perSecond: 1 / 15, burst: 1 });
  readonly #all = new Buckets({ perSecond: 0.2, burst: 5 });

  constructor(ask: AskServer, askFleet: AskFleet | undefined) {
    this.#ask = ask;
    this.#askFleet = askFleet;
  }

  /** Undefined: it is too often. Rejects with a sentence. */
  async audit({ id, host, key, before, servers }: InboxEntry): Promise<Audited | undefined> {
    if (!this.#entries.take(id) || !this.#all.take('')) return undefined;
    const [server = ''] = servers.known.map(({ value }) => value);
    const known = servers.known.map(({ value }) => hostOf(value)).slice(0, KNOWN);
    const asking = this.#ask(hostOf(host), portOf(host) ?? portOf(server) ?? HTTPS, known);
    const [{ shown, failures }, fleet] = await Promise.all([asking, this.#seenElsewhere(host)]);
    const old = before?.leaf?.spki_sha256 ?? null;
    const is = (one: string | null) =>
      one === key ? 'new' : old !== null && one === `spki-sha256:${old}` ? 'before' : 'other';
    return {
      at: new Date().toISOString(),
      shown: shown.map((one) => ({ ...one, is: is(one.key) })),
      failures: [...failures, ...fleet.failures],
      gateways: fleet.seen?.map((one) => ({ ...one, is: is(one.key) })) ?? null,
    };
  }

  /** That the fleet says nothing is no reason to say nothing of the server. */
  async #seenElsewhere(host: string): Promise<FromFleet> {
    if (this.#askFleet === undefined) return { seen: null, failures: [] };
    try {
      return { seen: await this.#askFleet(host), failures: [] };
    } catch (error) {
      return { seen: null, failures: [{ address: 'the fleet', sentence: (error as Error).message }] };
    }
  }
}

interface FromFleet {
  readonly seen: Awaited<ReturnType<AskFleet>> | null;
  readonly failures: Audited['failures'];
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
