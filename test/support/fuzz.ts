/** A property that is tried until the time is over: each target of a file gets its share of it. */
import fc from 'fast-check';
import { it } from 'vitest';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? '1');
const seed = process.env['FUZZ_SEED'];

/** `targets`: name and property; all are tried for the same time, one after the other. */
export function fuzz(targets: Record<string, fc.IRawProperty<unknown>>): void {
  const share = (seconds * 1000) / Object.keys(targets).length;
  for (const [name, property] of Object.entries(targets)) {
    it(name, { timeout: 0 }, () => {
      let runs = 0;
      const counted = property as fc.IProperty<unknown>;
      const end = Date.now() + share;
      // Round after round, each with a seed of its own, so that the input of a finding can be made again.
      do {
        const parameters: fc.Parameters<unknown> = {
          numRuns: 1000,
          interruptAfterTimeLimit: Math.max(1, end - Date.now()),
          markInterruptAsFailure: false,
          ...(seed === undefined ? {} : { seed: Number(seed) }),
        };
        const details = fc.check(counted, parameters) as fc.RunDetails<unknown>;
        if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
        runs += details.numRuns;
      } while (Date.now() < end && seed === undefined);
      console.log(`${name}: ${runs} runs`);
    });
  }
}

/**
 * Octets that are copied while `work` runs, by the ways of copying that the sources use: what an attacker can make grow
 * faster than what he sends shows here, whatever the machine.
 */
export function copiedOctets(work: () => void): number {
  const proto = Object.getPrototypeOf(Uint8Array.prototype) as { set: (...args: unknown[]) => void };
  const { set } = proto;
  const { concat } = Buffer;
  let copied = 0;
  Buffer.concat = (list, ...rest) => {
    const whole = concat(list, ...rest);
    copied += whole.length;
    return whole;
  };
  proto.set = function (this: unknown, source: unknown, ...rest: unknown[]) {
    copied += (source as ArrayLike<number>).length;
    return set.call(this, source, ...rest);
  };
  try {
    work();
  } finally {
    proto.set = set;
    Buffer.concat = concat;
  }
  return copied;
}
