/** Who answers a client, by the move that says so: real servers, handwritten ones, two at once. */
import { Editor, type Planted } from './editor.ts';
import { RealServer } from './forger/real.ts';
import type { Speaker } from './forger/speaker.ts';
import { Hand12 } from './forger/tls12.ts';
import { Hand13 } from './forger/tls13.ts';
import { identities, type KeyKind } from './identities.ts';
import type { Chain, ServerMove } from './moves.ts';
import type { FormerSession } from './shared-sessions.ts';

/** `shown`: what the engine is to be shown in the place of what goes to the client, where that differs. */
export interface Scripted {
  readonly speaker: Speaker;
  readonly ghost: Speaker | undefined;
}

export function speakerOf(move: ServerMove, former: FormerSession | undefined, active: () => void): Scripted {
  const { genuine, forged } = identities();
  switch (move.server) {
    case 'real':
      return { speaker: new RealServer(move, active), ghost: undefined };
    case 'hand12': {
      const { kind, chain, signer, resumes, exchange } = move;
      const usedKind = exchange === 'rsa' ? 'rsa' : kind;
      const script = {
        ...move,
        kind: usedKind,
        identity: forged[usedKind],
        chain: chainOf(chain, usedKind),
        signer: (signer === 'forged' ? forged : genuine)[usedKind],
        resumes: resumes ? former?.ofForger : undefined,
      };
      return { speaker: new Hand12(script, genuine[usedKind].chain), ghost: undefined };
    }
    case 'hand13': {
      const { kind, chain } = move;
      const script = { ...move, key: forged[kind].key, chain: chainOf(chain, kind) };
      return { speaker: new Hand13(script, genuine[kind].chain), ghost: undefined };
    }
    case 'two': {
      const { kind, version, how, units } = move;
      const real = { kind, version, tickets: true };
      const other = new RealServer({ ...real, whose: 'genuine' }, active);
      const own = new RealServer({ ...real, whose: 'forged' }, active);
      if (how === 'ghost') return { speaker: own, ghost: other };
      return { speaker: new Switching(other, own, units), ghost: undefined };
    }
    default:
      return move satisfies never;
  }
}

/** So many octets of the genuine server's, and then the forger's own from there on. */
class Switching implements Speaker {
  readonly #genuine: Speaker;
  readonly #forged: Speaker;
  #left: number;
  #skipped = 0;

  constructor(genuine: Speaker, forged: Speaker, units: number) {
    this.#genuine = genuine;
    this.#forged = forged;
    this.#left = units;
  }

  get heard(): Buffer {
    return this.#forged.heard;
  }

  open(): void {}

  hear(octets: Buffer): void {
    this.#genuine.hear(octets);
    this.#forged.hear(octets);
  }

  take(): Buffer {
    const genuine = this.#genuine.take().subarray(0, this.#left);
    this.#left -= genuine.length;
    this.#skipped += genuine.length;
    const forged = this.#forged.take();
    const taken = this.#left > 0 ? 0 : Math.min(this.#skipped, forged.length);
    this.#skipped -= taken;
    return Buffer.concat([genuine, this.#left > 0 ? Buffer.alloc(0) : forged.subarray(taken)]);
  }

  close(): void {
    this.#genuine.close();
    this.#forged.close();
  }
}

function chainOf(chain: Chain, kind: KeyKind): readonly Uint8Array[] {
  const { genuine, forged } = identities();
  switch (chain) {
    case 'forged':
      return forged[kind].chain;
    case 'leaf':
      return forged[kind].chain.slice(0, 1);
    case 'forged-genuine':
      return [...forged[kind].chain, ...genuine[kind].chain];
    case 'genuine-forged':
      return [...genuine[kind].chain, ...forged[kind].chain];
    case 'genuine':
      return genuine[kind].chain;
    case 'many':
      return [forged[kind].chain[0]!, ...Array.from({ length: 17 }, () => forged[kind].chain[1]!)];
    default:
      return chain satisfies never;
  }
}

/** The editor of what a speaker says. */
export function editorOf(edits: ConstructorParameters<typeof Editor>[0], planted: Planted | undefined): Editor {
  return new Editor(edits, planted);
}
