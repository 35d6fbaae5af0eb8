/** What NATS' client rejects with, in the port's own words. */
import { setTimeout as sleep } from 'node:timers/promises';

import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

import { BrokerError, type BrokerFault } from '../port.ts';

/** Rejects with nothing but a BrokerError. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw brokerError(cause);
  }
}

/** Again, for a while, where servers do not answer: one that was lost a moment ago has taken its leaders with it. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (cause) {
      if (brokerError(cause).fault !== 'unreachable' || performance.now() > end) throw cause;
      await sleep(AGAIN_MS);
    }
  }
}

export function brokerError(cause: unknown): BrokerError {
  if (cause instanceof BrokerError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new BrokerError(faultOf(cause), REMEDIES[message.toLowerCase()] ?? message, cause);
}

function faultOf(cause: unknown): BrokerFault {
  if (cause instanceof JetStreamApiError) return API_FAULTS[cause.code] ?? 'failed';
  if (cause instanceof errors.RequestError) return cause.isNoResponders() ? 'missing' : faultOf(cause.cause);
  if (cause instanceof errors.NoRespondersError) return 'missing';
  if (cause instanceof errors.PermissionViolationError || cause instanceof errors.AuthorizationError)
    return 'forbidden';
  if (cause instanceof errors.InvalidArgumentError && cause.message.includes('payload')) return 'too-large';
  if (UNREACHABLE.some((kind) => cause instanceof kind)) return 'unreachable';
  return cause instanceof Error && cause.name === 'JetStreamNotEnabled' ? 'unreachable' : 'failed';
}

const UNREACHABLE = [
  errors.TimeoutError,
  errors.ConnectionError,
  errors.ClosedConnectionError,
  errors.DrainingConnectionError,
];

/** By JetStream's own numbers (server/errors.json). */
const API_FAULTS: Readonly<Record<number, BrokerFault>> = {
  10_008: 'unreachable', // no leader at the moment
  10_037: 'missing', // no message
  10_039: 'forbidden', // JetStream not for this account
  10_054: 'too-large',
  10_059: 'missing', // no stream
  10_071: 'conflict', // wrong last sequence
};

const REMEDIES: Readonly<Record<string, string>> = {
  'authorization violation': 'the server refuses these credentials',
  'user authentication expired': 'these credentials have expired',
  timeout: 'the server does not answer in time',
  'jetstream is not enabled': 'JetStream has no leader at the moment, or is not enabled there',
  'no responders': 'nobody answers: JetStream is not enabled there, or has no leader',
};

const PATIENCE_MS = 20_000;
const AGAIN_MS = 500;
