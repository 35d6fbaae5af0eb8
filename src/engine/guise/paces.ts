/**
 * How long clients take lately to answer a server, by client and server: whoever sits at the server learns that of a client's
 * connections, so that of its probes is drawn of it. Knows no packets.
 */
import { LRUCache } from 'lru-cache';

/** Of one connection, in microseconds from what the client is answered to what it says to that: its way there and back, and its own work. */
export interface Pace {
  /** From the server's SYN to the client's first word. */
  readonly hello: number;
  /** … to its acknowledgment, which may leave this host together with that word. */
  readonly acknowledged: number;
  /** From the server's octets to their acknowledgment. */
  readonly answer: number;
}

export class Paces {
  readonly #seen = new LRUCache<string, Pace[]>({ max: CLIENTS });

  add(name: string, pace: Pace): void {
    if (!isPlausible(pace)) return;
    const seen = this.#seen.get(name) ?? [];
    seen.push(pace);
    if (seen.length > MOST) seen.shift();
    this.#seen.set(name, seen);
  }

  /**
   * One between two that were seen, which are close to each other: none is like another to the microsecond. Undefined where
   * none was. `random`: from 0 to 1.
   */
  draw(name: string, random = Math.random): Pace | undefined {
    const seen = this.#seen.get(name) ?? [];
    const one = seen[Math.floor(random() * seen.length)];
    if (one === undefined) return undefined;
    const others = seen.filter((each) => each !== one);
    const distance = (other: Pace) => Math.abs(other.hello - one.hello);
    const nearest = others.sort((a, b) => distance(a) - distance(b))[0];
    const share = random();
    if (nearest === undefined) return { ...scaled(one, share), answer: near(one.answer, random()) };
    return {
      hello: between(one.hello, nearest.hello, share),
      acknowledged: between(one.acknowledged, nearest.acknowledged, share),
      answer: between(one.answer, nearest.answer, share),
    };
  }
}

/** One that takes longer has lost a packet, or was busy. */
function isPlausible({ hello, answer }: Pace): boolean {
  return hello > 0 && hello <= LONGEST && answer > 0 && answer <= LONGEST;
}

function between(one: number, other: number, share: number): number {
  return one + (other - one) * share;
}

function scaled({ hello, acknowledged, answer }: Pace, share: number): Pace {
  return { hello: near(hello, share), acknowledged: near(acknowledged, share), answer: near(answer, share) };
}

function near(one: number, share: number): number {
  return one * (1 + (2 * share - 1) * SPREAD);
}

const CLIENTS = 4_096;
/** Of each, the latest. */
const MOST = 16;
const LONGEST = 250_000;
/** Of one of which nothing else is known. */
const SPREAD = 0.1;
