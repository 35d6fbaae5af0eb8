/** Everything that an engine is made with. */
import type { FlowNumbering } from '../connection/flow-numbers.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import type { PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { Policy } from '../pins/policy.ts';
import type { BridgePort } from './guise/bridge.ts';
import type { DialledProbes } from './guise/dialled.ts';

export interface EngineOptions extends Surroundings {
  readonly policy: Policy;
  /** Of the policy, where it is made already. */
  readonly snapshot?: PinsetSnapshot | undefined;
  /** What is left out: the engine is the only one of its run. */
  readonly numbering?: FlowNumbering | undefined;
  /** Undefined where no probe has its client's address. */
  readonly dialled?: DialledProbes | undefined;
  /** For those of clients behind a bridge. */
  readonly bridge?: BridgePort | undefined;
}
