/**
 * What is asked again and again of three kinds of servers at one host: of a pinned genuine one, of a pinned forged one, and of one
 * that nobody has pinned; and how it went, in the same few words.
 */
import type { Child } from '../../../src/runtime/demo/child.ts';
import type { Bank } from './bank.ts';
import { NAME } from './bank.ts';
import type { Lab } from './lab.ts';
import { peer } from './peers.ts';

export const KINDS = ['genuine', 'forged', 'unpinned'] as const;
export type Kind = (typeof KINDS)[number];
export const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
export type Version = (typeof VERSIONS)[number];

export const PORTS = { genuine: 443, forged: 444, unpinned: 445 } as const satisfies Readonly<Record<Kind, number>>;
const UNPINNED_NAME = 'www.other.example';

export interface Visit {
  readonly kind: Kind;
  readonly version: Version;
  readonly ip?: 4 | 6;
  readonly timeout?: number;
  /** File that the client logs its secrets to. */
  readonly keylog?: string;
}

export interface VisitOutcome {
  /** `served`, `alert`, `reset`, `silence`, or what else the system says. */
  readonly outcome: string;
  /** The handshake was done: whatever the server is, the client has believed it. */
  readonly shook: boolean;
  readonly port?: number;
  readonly millis: number;
}

/** All of them at the host `server`; the unpinned one is somebody else's. */
export async function startHosts(lab: Lab, bank: Bank): Promise<Child> {
  const authority = lab.certificates.authority('somebody');
  const other = lab.certificates.leaf('other', { issuer: authority, names: [UNPINNED_NAME] });
  const identities = { [PORTS.genuine]: bank.genuineChain, [PORTS.forged]: bank.forgedChain, [PORTS.unpinned]: other };
  const child = lab.start('server', [process.execPath, peer('tls-hosts.mjs'), JSON.stringify(identities)]);
  await child.says(/listening/);
  return child;
}

export class Visitors {
  readonly #lab: Lab;
  readonly #child: Child;
  readonly #waiting = new Map<number, (outcome: VisitOutcome) => void>();
  #asked = 0;

  constructor(lab: Lab, host = 'client') {
    this.#lab = lab;
    this.#child = lab.start(host, [process.execPath, peer('tls-visitors.mjs')]);
    this.#child.onLine((line) => {
      const { id, ...outcome } = JSON.parse(line) as VisitOutcome & { id: number };
      this.#waiting.get(id)?.(outcome);
      this.#waiting.delete(id);
      this.#child.forget();
    });
  }

  visit(visit: Visit): Promise<VisitOutcome> {
    return this.#say(++this.#asked, this.#request('visit', visit));
  }

  /** A connection that stays; throws where it is not served. Resolves to what asks over it again. */
  async open(visit: Visit): Promise<(timeout: number) => Promise<VisitOutcome>> {
    const id = ++this.#asked;
    const { outcome } = await this.#say(id, this.#request('open', visit));
    if (outcome !== 'served') throw new Error(`${visit.kind}, ${visit.version}: ${outcome} instead of served`);
    return (timeout) => this.#say(id, { does: 'ask', timeout });
  }

  /** Whatever is open is closed. */
  leaveAll(): void {
    this.#child.write(`${JSON.stringify({ does: 'leave' })}\n`);
  }

  #request(does: string, { kind, version, ip = 4, timeout = 4_000, keylog }: Visit): object {
    const servername = kind === 'unpinned' ? UNPINNED_NAME : NAME;
    const host = this.#lab.address('server', ip);
    return { does, host, port: PORTS[kind], servername, version, timeout, keylog };
  }

  #say(id: number, request: object): Promise<VisitOutcome> {
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }
}
