/** What a fault is: how it comes and how it goes. Knows no particular one. */
import type { Bank } from '../support/lab/bank.ts';
import type { RunOptions } from '../support/lab/engine.ts';
import type { Stage } from './stage.ts';

export interface Fault {
  /** As it is called on the command line, and in the first column. */
  readonly name: string;
  /** In words, for the table. */
  readonly what: string;
  /** CI plays it too. */
  readonly isQuick?: true;
  /** Of the configuration, besides. */
  readonly config?: (bank: Bank) => object;
  /** How the engine is started ahead of it; null: it is not. */
  readonly start?: ((stage: Stage) => RunOptions | Promise<RunOptions>) | null;
  /** It comes. Until it goes, connections are looked at. */
  begin(stage: Stage): Promise<void> | void;
  /** It goes, by what an operator does, or by itself. From then on seconds count until all is well. */
  end?(stage: Stage): Promise<void> | void;
  /** When nothing runs any more. */
  tidy?(stage: Stage): void;
  /** Seconds within which all is well again; the default is 5. */
  readonly within?: number;
}

export function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
