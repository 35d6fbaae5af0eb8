/** The engine's own bits of the connmark, and changes of them together with bits that the configuration asks for. */
import type { ConnmarkLayout } from '../pins/policy.ts';
import type { MarkChange } from '../packet/source.ts';

export type MarkState = 'none' | 'pending' | 'accept' | 'deny';

export class Marks {
  readonly #layout: ConnmarkLayout;
  readonly pending: MarkChange;
  readonly #accept: MarkChange;
  readonly #deny: MarkChange;

  constructor(layout: ConnmarkLayout) {
    const { mask } = layout;
    this.#layout = layout;
    this.pending = { value: layout.pending, mask };
    this.#accept = { value: layout.accept, mask };
    this.#deny = { value: layout.deny, mask };
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
    return joined(this.#accept, also);
  }

  deny(also: MarkChange | null): MarkChange {
    return joined(this.#deny, also);
  }
}

/** Most often nothing is added, and the same object will do for all. */
function joined(own: MarkChange, also: MarkChange | null): MarkChange {
  return also === null ? own : { value: (own.value | also.value) >>> 0, mask: (own.mask | also.mask) >>> 0 };
}
