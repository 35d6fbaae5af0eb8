/**
 * What must hold of a program's outcomes, whoever plays it. A client may believe somebody without the genuine key only
 * where the policy says so in as many words: no name and `noSni: accept`; a probe that the forger let see the genuine
 * server, where a probe stands for the certificate (docs/evasions.md says what that is worth); `probe-else-accept` and a
 * probe that failed.
 */
import { Broken } from './gateway.ts';
import { isGenuine } from './identities.ts';
import type { Encounter, Program, Setting } from './moves.ts';
import type { Outcome } from './scene.ts';

/** Throws where a client believed a forger, or gave him what was for the bank. */
export function holdForgers(program: Program, outcomes: readonly Outcome[]): void {
  for (const [index, outcome] of outcomes.entries()) {
    const { believed, hasSecretLeaked, verdicts } = outcome;
    const isForged = hasSecretLeaked || (believed !== undefined && !isGenuine(believed.leaf));
    if (!isForged || isAllowed(program.setting, program.connections[index]!, outcome)) continue;
    const how = believed === undefined ? 'early' : `${believed.version}${believed.isResumed ? ' resumed' : ''}`;
    throw new Broken(
      `connection ${index}: the client believes a forger (${how}); ${verdicts.join('; ') || 'no verdict'}`,
    );
  }
}

/**
 * Throws where a client has the octet that completes a forged Certificate, be it in vain. Behind a ServerHello of TLS 1.3
 * that a probe, or its failure, let pass, whatever follows is as good as encrypted.
 */
export function holdCertificates({ setting, connections }: Program, outcomes: readonly Outcome[]): void {
  for (const [index, { hasForgedCertificate, verdicts, probedGenuine, probeFailed }] of outcomes.entries()) {
    if (setting.tls13.includes('probe') && (probedGenuine || (probeFailed && setting.tls13 === 'probe-else-accept')))
      continue;
    const hasName = connections[index]!.client.sni || setting.enforcedBy === 'address' || setting.noSni === 'deny';
    if (!hasForgedCertificate || !hasName) continue;
    throw new Broken(
      `connection ${index}: the client has a forged Certificate; ${verdicts.join('; ') || 'no verdict'}`,
    );
  }
}

/** Throws where the bank's own server was denied to its client. */
export function holdGenuine(outcomes: readonly Outcome[]): void {
  for (const [index, { isServed, error, verdicts }] of outcomes.entries()) {
    if (isServed && verdicts.every((verdict) => verdict.startsWith('accept'))) continue;
    throw new Broken(`connection ${index}: not served (${error?.message ?? 'no error'}); ${verdicts.join('; ')}`);
  }
}

function isAllowed(setting: Setting, { client }: Encounter, outcome: Outcome): boolean {
  const { believed, probedGenuine, probeFailed, wasSecretLoggedAtOnce } = outcome;
  if (!client.sni && setting.enforcedBy === 'host' && setting.noSni === 'accept') return true;
  if (believed?.version !== 'TLSv1.3') {
    return (believed?.isResumed ?? false) && setting.resumed === 'bound-else-probe' && probedGenuine;
  }
  switch (setting.tls13) {
    case 'probe':
      return probedGenuine;
    case 'probe-else-accept':
      return probedGenuine || probeFailed;
    case 'keylog-else-probe':
      // A secret that was logged has the last word, whatever it opens; but a resumed session shows no certificate.
      return probedGenuine && (!wasSecretLoggedAtOnce || believed.isResumed);
    case 'accept':
      return true;
    case 'keylog':
    case 'deny':
      return false;
    default:
      return setting.tls13 satisfies never;
  }
}
