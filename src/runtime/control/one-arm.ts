/**
 * Tells when a flow came in and went out by one interface. Where a gateway has two arms nobody on the server's side can
 * speak in the client's name; with one arm only addresses on the link keep him from it, which is less: see
 * docs/threat-model.md. Said once; `status` has how many flows there were.
 */
import type { Protection } from '../protection/protection.ts';

export interface OneArmOptions {
  /** Flows so far whose both ends are behind one interface. */
  readonly count: () => number;
  readonly protection: Protection;
}

export class OneArm {
  readonly #options: OneArmOptions;

  constructor(options: OneArmOptions) {
    this.#options = options;
  }

  /** To be called each second. */
  look(): void {
    const { count, protection } = this.#options;
    if (count() > 0) protection.begin('gateway.one-armed', '', 'a connection came and went by one interface');
  }
}
