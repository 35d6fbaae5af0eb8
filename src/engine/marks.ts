/** The engine's own bits of the connmark, and changes of them together with bits that the configuration asks for. */
import type { ConnmarkLayout } from '../pins/policy.ts';
import type { MarkChange } from './ports.ts';

export type MarkState = 'none' | 'pending' | 'accept' | 'deny';

export class Marks {
  readonly #layout: ConnmarkLayout;
  readonly pending: MarkChange;

  constructor(layout: ConnmarkLayout) {
    this.#layout = layout;
    this.pending = { value: layout.pending, mask: layout.mask };
  }

  /** What an earlier verdict left on the connection. */
  stateOf(connmark: number): MarkState {
    const { mask, pending, accept, deny } = this.#layout;
    const bits = (connmark & mask) >>> 0;
    if (bits === pending) return 'pending';
    if (bits === accept) return 'accept';
    return bits === deny ? 'deny' : 'none';
  }

  accept(also: MarkChange | null): MarkChange {
    return this.#with(this.#layout.accept, also);
  }

  deny(also: MarkChange | null): MarkChange {
    return this.#with(this.#layout.deny, also);
  }

  #with(value: number, also: MarkChange | null): MarkChange {
    const { mask } = this.#layout;
    return also === null ? { value, mask } : { value: (value | also.value) >>> 0, mask: (mask | also.mask) >>> 0 };
  }
}
