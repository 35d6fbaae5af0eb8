/**
 * The closing line of a run in which waits ran out of time, and were made once more: which tests passed only then. A wrong
 * answer is never asked for again.
 */
import type { Reporter, TestModule, Vitest } from 'vitest/node';

/** Beginnings of what fails where a busy machine did not come to it: of Vitest itself, and of a child that is waited for. */
export const OUT_OF_TIME = /^(?:Test timed out in|not within) \d+ ?ms/;

export class SecondTries implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const late = modules.flatMap((module) =>
      [...module.children.allTests('passed')]
        .filter((test) => (test.diagnostic()?.retryCount ?? 0) > 0)
        .map(({ fullName }) => `${module.relativeModuleId} > ${fullName}`),
    );
    if (late.length > 0)
      this.#vitest?.logger.log(`\nTests that ran out of time, and passed at once afterwards: ${late.join('; ')}`);
  }
}
