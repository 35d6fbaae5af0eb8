/**
 * The probes that were dialled lately with their clients' addresses, in memory that the main thread writes and packet threads
 * read: there ahead of a probe's first packet. A row of words for each, used in turn.
 */
import type { DialledProbe, DialledProbes } from '../../engine/guise/dialled.ts';
import type { ProbeRole } from '../../judge/ports.ts';
import type { DialledAsClient } from '../../probe/origin.ts';

export class DialledMemory implements DialledProbes {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  #next = 0;

  /** Without a buffer, one is made. */
  constructor(shared = new SharedArrayBuffer(ROWS * ROW * Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** Told by the one thread that dials. */
  add({ client, server, probePort, role }: DialledAsClient): void {
    const row = this.#next * ROW;
    this.#next = (this.#next + 1) % ROWS;
    Atomics.store(this.#words, row + PORTS, 0);
    const addresses = wordsOf([...client.address, ...server.address]);
    for (let at = 0; at < addresses.length; at++) Atomics.store(this.#words, row + ADDRESSES + at, addresses[at]!);
    Atomics.store(this.#words, row + CLIENT, (client.port << ROLE_BITS) | ROLES.indexOf(role));
    Atomics.store(this.#words, row + PORTS, portsOf(probePort, server.port));
  }

  find(addresses: ArrayLike<number>, probePort: number, serverPort: number): DialledProbe | undefined {
    const ports = portsOf(probePort, serverPort);
    const wanted = wordsOf(addresses);
    for (let row = 0; row < ROWS * ROW; row += ROW) {
      if (Atomics.load(this.#words, row + PORTS) !== ports) continue;
      const isIt = wanted.every((word, at) => Atomics.load(this.#words, row + ADDRESSES + at) === word);
      const client = Atomics.load(this.#words, row + CLIENT);
      // It may have become another one's meanwhile.
      if (isIt && Atomics.load(this.#words, row + PORTS) === ports) {
        return { clientPort: client >>> ROLE_BITS, role: ROLES[client & ((1 << ROLE_BITS) - 1)]! };
      }
    }
    return undefined;
  }
}

/** No probe comes from port 0, so none is 0. */
function portsOf(probePort: number, serverPort: number): number {
  return (probePort << 16) | serverPort;
}

function wordsOf(addresses: ArrayLike<number>): Int32Array {
  const words = new Int32Array(MOST_ADDRESSES);
  for (let at = 0; at < addresses.length; at++) words[at >> 2]! |= addresses[at]! << (24 - 8 * (at & 3));
  return words;
}

const ROLES: readonly ProbeRole[] = ['awaited', 'decoy', 'behind'];
const ROLE_BITS = 2;
/** Words of both addresses. */
const MOST_ADDRESSES = 8;
const [PORTS, CLIENT, ADDRESSES] = [0, 1, 2];
const ROW = ADDRESSES + MOST_ADDRESSES;
/** More than are dialled in the time that a packet takes to its thread. */
const ROWS = 512;
