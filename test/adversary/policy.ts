/** The adversary's setting as a policy, and what it allows a client of the bank to believe without the genuine key. */
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { HOST } from '../support/flows.ts';
import { match, pin, PINNED, pinset, policy, range } from '../support/policy.ts';
import { identities } from './identities.ts';
import type { Setting } from './moves.ts';

/** `version`: changes what no flow of the bank's depends on, so that the configuration is another one. */
export function policyOf(setting: Setting, version: number): Policy {
  const { genuine, forged } = identities();
  const spki = (der: Uint8Array) => pin('spki-sha256', presentCertificate(new Uint8Array(der)).spkiSha256!);
  const index = setting.pinned === 'leaf' ? 0 : 1;
  const pins = [spki(genuine.rsa.chain[index]!), spki(genuine.ec.chain[index]!)];
  const situations = {
    ...PINNED,
    tls13: setting.tls13,
    resumed: setting.resumed,
    noSni: setting.noSni,
  };
  const onMismatch = { action: setting.action, connmark: null };
  const byHost = setting.enforcedBy === 'host';
  const enforced = pinset(0, {
    name: 'bank',
    match: byHost ? match({ hosts: [HOST] }) : match({ addresses: [range('198.51.100.0/24')] }),
    pins,
    names: byHost ? [] : [HOST],
    situations,
    onMismatch,
  });
  // What only reports says nothing for anybody, whatever it would have accepted.
  const reporting = pinset(1, {
    name: 'reporting',
    match: match({ hosts: [byHost ? 'other.example' : HOST] }),
    pins: [spki(forged.rsa.chain[0]!), spki(forged.ec.chain[0]!)],
    mode: 'report-only',
    situations: { ...PINNED, tls13: 'accept', resumed: 'bound' },
  });
  return policy({
    hash: `sha256:${version}`,
    pinsets: [enforced, reporting],
    pinned: situations,
    onMismatch,
    // A table of few flows is made in no time.
    limits: { ...LIMIT_DEFAULTS, flows: 16 },
    keylog: { file: setting.tls13.startsWith('keylog') ? '/a/key/log' : null, socket: null },
    ports: setting.widePorts ? [[1, 65_535]] : [[443, 443]],
  });
}
