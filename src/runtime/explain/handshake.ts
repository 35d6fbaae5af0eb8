/** Where the time of a decision went: messages, the question to the server, waiting and the decision, on one clock. */
import type { VerdictEvent } from '../../judge/events.ts';
import { messageName } from '../../report/watch.ts';

export interface ExplainedStep {
  /** Microseconds since the client's first octets of TLS. */
  readonly at_us: number;
  readonly from: 'client' | 'server' | 'tlspin';
  /** A handshake message, such as `ServerHello`; of tlspin's `probe-asked`, `probe-answered`, `hold`, `decision`. */
  readonly what: string;
}

/** In their order; nothing of waiting and deciding where nobody can say, as of a capture. */
export function stepsOf({ milestones = [], tookMicros, heldMicros }: VerdictEvent): readonly ExplainedStep[] {
  const steps: ExplainedStep[] = [];
  for (let i = 0; i + 2 < milestones.length; i += 3) {
    const [milestone, messageType, at] = milestones.slice(i, i + 3);
    const isMessage = milestone === 'client' || milestone === 'server';
    const what = isMessage ? messageName(Number(messageType)) : String(milestone);
    steps.push({ at_us: Number(at), from: isMessage ? milestone : 'tlspin', what });
  }
  if (tookMicros === undefined) return steps;
  if (heldMicros > 0) steps.push({ at_us: Math.max(0, tookMicros - heldMicros), from: 'tlspin', what: 'hold' });
  steps.push({ at_us: tookMicros, from: 'tlspin', what: 'decision' });
  return steps.sort((a, b) => a.at_us - b.at_us);
}
