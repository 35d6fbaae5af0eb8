/** What the raw segments meet: one pinset for each way to refuse, and one that is pinned above the leaf. */
import { spkiPin } from '../../../src/runtime/demo/certificates.ts';
import { fixturePath } from '../../support/certificates.ts';

const REFUSALS = { alert: 'tls-alert', reset: 'reset', drop: 'drop', issuer: 'tls-alert' } as const;

export const NAMES = Object.keys(REFUSALS) as (keyof typeof REFUSALS)[];

export const hostOf = (name: string) => `${name}.bank.example`;

export const config = {
  pinsets: NAMES.map((name) => ({
    name,
    match: { hosts: [hostOf(name)] },
    pins: [spkiPin(fixturePath(name === 'issuer' ? 'inter' : 'leaf'))],
    onMismatch: REFUSALS[name],
  })),
};
