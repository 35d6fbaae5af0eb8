/** When a pin counts at all: between its own dates. */
import type { CompiledPin } from '../policy.ts';

/** From `notBefore` on, until `expires`. */
export function isUsable({ notBefore, expires }: Pick<CompiledPin, 'notBefore' | 'expires'>, nowMs: number): boolean {
  return (notBefore === null || nowMs >= notBefore) && (expires === null || nowMs < expires);
}
