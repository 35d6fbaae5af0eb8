/**
 * A client's question to a server as the prober has it: what has to be said to ask it, and what it is counted, weighed and
 * remembered as. Knows no answer.
 */
import type { Endpoint } from '../judge/events.ts';
import type { ProbeRequest } from '../judge/ports.ts';
import type { ProbePolicy } from '../pins/policy.ts';
import { addressText } from './address.ts';
import type { Charge } from './allowance/budget.ts';
import type { QuestionKey } from './cache.ts';
import { clientGroup, sharersOf } from './client-group.ts';
import type { Mirror } from './mirror.ts';
import { dialogueOf, type Turn } from './upgrade.ts';

/** What comes ahead of TLS; undefined where a probe cannot say it. */
export function turnsOf({ starttls, server, tunnels }: ProbeRequest, { hello }: Mirror): readonly Turn[] | undefined {
  if (starttls === null) return [];
  return dialogueOf(starttls, { serverName: hello.serverName, port: server.port, tunnels });
}

/** A client's request, and what it is counted and remembered as. */
export interface Asking {
  readonly request: ProbeRequest;
  readonly mirror: Mirror;
  readonly destination: string;
  /** Of clients. */
  readonly group: string;
  readonly key: QuestionKey;
  /** Which flight waits for it. */
  readonly flight: string;
}

export function askingOf(request: ProbeRequest, mirror: Mirror, settings: Pick<ProbePolicy, 'source'>): Asking {
  const destination = destinationOf(request.server);
  const tunnels = request.tunnels.map((tunnel) => Buffer.from(tunnel.request ?? []).toString('hex')).join(' ');
  const said = `${sharersOf(request, settings)}${destination} ${request.starttls ?? ''} ${tunnels} ${request.recordVersion}`;
  const key = new MirrorKey(said, mirror);
  const group = clientGroup(request.client.address);
  return { request, mirror, destination, group, key, flight: key.certificate };
}

class MirrorKey implements QuestionKey {
  readonly certificate: string;
  readonly #said: string;
  readonly #mirror: Mirror;

  constructor(said: string, mirror: Mirror) {
    this.certificate = `${said} ${mirror.digestInAnyOrder}`;
    this.#said = said;
    this.#mirror = mirror;
  }

  get exact(): string {
    return `exactly ${this.#said} ${this.#mirror.digest}`;
  }
}

export function destinationOf({ address, port }: Endpoint): string {
  return `${addressText(address)}:${port}`;
}

/** As many usual ones it takes up the memory of. */
export function weightOf({ clientHello, tunnels }: ProbeRequest): number {
  const octets = tunnels.reduce((sum, { request }) => sum + (request?.length ?? 0), clientHello.length);
  return Math.max(1, Math.ceil(octets / USUAL_OCTETS));
}

export function asker({ request, destination }: Asking): { destination: string; client: ProbeRequest['client'] } {
  return { destination, client: request.client };
}

export interface Question extends Asking {
  /** Milliseconds. */
  readonly deadline: number;
  /** Nobody waited for it when it was begun. */
  readonly isBehind?: boolean;
  giveUp?: () => void;
  /** Set while it waits for a connection. */
  late?: NodeJS.Timeout;
  charge?: Charge;
}

/** Of a question, at the most. */
const USUAL_OCTETS = 4_096;
