/** What other gateways have decided about a host in the last day, for the console, as `tlspin fleet verdicts` reads it. */
import { gatewayName } from '../../runtime/fleet/membership.ts';
import { Elsewhere, type SeenElsewhere } from '../../web/elsewhere.ts';
import { withSession, type Session } from '../fleet/session.ts';
import { readDecisions } from '../fleet/verdicts.ts';

/** Rejects with a sentence where they cannot be had in time. */
export function seenElsewhere(
  file: string,
  policy: Session['policy'],
  host: string,
): Promise<readonly SeenElsewhere[]> {
  return withSession(file, policy, undefined, async (session) => {
    const elsewhere = new Elsewhere(host, gatewayName(policy.fleet!));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the decisions of its last day do not come in time')), PATIENCE_MS);
    });
    const reading = readDecisions(session, { since: Date.now() - DAY_MS }, (record, gateway) =>
      elsewhere.take(record, gateway),
    );
    await Promise.race([reading, late]).finally(() => clearTimeout(timer));
    return elsewhere.seen;
  });
}

const DAY_MS = 86_400_000;
const PATIENCE_MS = 15_000;
