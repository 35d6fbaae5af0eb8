/** Which faults of the layers below are limits of ours and not errors of the peer's. */
import type { LimitName } from '../pins/limits.ts';
import { TOO_MANY_CERTIFICATES } from '../tls/certificate.ts';
import { TOO_MANY_RECORDS } from '../tls/flight.ts';
import { LIMIT_FAULT } from '../tls/handshake.ts';

export function limitOf(faultCode: string): LimitName | undefined {
  return LIMITS.get(faultCode);
}

const LIMITS: ReadonlyMap<string, LimitName> = new Map([
  [TOO_MANY_CERTIFICATES, 'certificates'],
  [TOO_MANY_RECORDS, 'records'],
  [LIMIT_FAULT, 'handshakeBytes'],
]);
