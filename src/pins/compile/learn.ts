/** The section `learn`, and what pinsets in that mode need of the rest of the file. */
import type { ReferredFiles } from '../document/files.ts';
import { LEARN_DEFAULTS } from '../learn-defaults.ts';
import type { Reporter } from '../document/message.ts';
import type { LearnPolicy } from '../policy.ts';
import type { Configuration } from '../document/schema.ts';
import type { LearnSource } from '../document/schema/evidence.ts';
import { elements } from '../document/elements.ts';

export function compileLearn(source: LearnSource | undefined, files: ReferredFiles): LearnPolicy {
  const said = Object.fromEntries(Object.entries(source ?? {}).filter(([, value]) => value !== undefined));
  return { ...LEARN_DEFAULTS, ...said, file: source?.file === undefined ? null : files.path(source.file) };
}

export function reportLearning({ pinsets, learn }: Configuration, report: Reporter): void {
  for (const [index, { mode, then }] of elements(pinsets)) {
    if (mode === 'learn' && learn === undefined) {
      report.error(
        ['pinsets', index, 'mode'],
        '"learn" needs a place for what it learns: add "learn": { "file": "learned.json" }',
      );
    }
    if (mode !== 'learn' && then !== undefined) {
      report.error(['pinsets', index, 'then'], '"then" follows upon "mode": "learn": write that, or leave "then" out');
    }
  }
}
