/** What protection is lacking, for operators and what watches for them: the answer of `health`. Reads only. */
import { CONDITIONS } from '../protection/conditions.ts';
import type { Protection } from '../protection/protection.ts';

/** `since`: the time of day; `age`: in seconds, on a clock that nobody sets. */
export function healthOf(protection: Protection) {
  return {
    state: protection.state,
    conditions: protection.conditions.map(({ code, subject, detail, since, age }) => ({
      code,
      subject,
      ...CONDITIONS[code],
      detail,
      since: since.toISOString(),
      age: Math.floor(age / 1000),
    })),
  };
}
