/** What the log and the operator are told of a change of the configuration. */
import type { ConfigurationChange } from './configuration.ts';

export function recordFields(change: ConfigurationChange, file: string) {
  const { kind, by, isInForce, generation, error, messages, difference } = change;
  return {
    change: kind,
    by,
    file,
    result: isInForce ? 'in-force' : 'refused',
    generation,
    ...(error === null ? {} : { error }),
    ...(messages.length === 0 ? {} : { messages: messages.slice(0, MESSAGES) }),
    ...(difference === null ? {} : { changes: difference }),
  };
}

export function newRules(causes: readonly string[], file: string): string {
  return `the netfilter rules are others now (${causes.join(', ')}): sudo tlspin rules --apply -c ${file}`;
}

const MESSAGES = 100;
