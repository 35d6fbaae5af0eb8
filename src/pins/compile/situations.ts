/** What is done where no certificate can decide: defaults, those of the file, those of a pinset, in this order. */
import { readCertificates } from '../../x509/pem.ts';
import type { FileContent, ReferredFiles } from '../document/files.ts';
import type { Path, Reporter } from '../document/message.ts';
import { SYSTEM, SYSTEM_STORES } from '../document/system-store.ts';
import type { Checks, Situations } from '../policy.ts';
import { CHECK_DEFAULTS, SITUATION_NAMES, situationDefault } from '../document/situation-values.ts';
import type { ChecksSource, SituationsSource } from '../document/schema/situations.ts';

export function situationDefaults(kind: 'pinned' | 'unpinned'): Situations {
  const values = Object.fromEntries(SITUATION_NAMES.map((name) => [name, situationDefault(name, kind)]));
  const checks: Checks = { ...CHECK_DEFAULTS[kind], minVersion: 0, trust: [] };
  return { ...values, checks } as unknown as Situations;
}

export function compileSituations(
  source: SituationsSource | undefined,
  base: Situations,
  path: Path,
  files: ReferredFiles,
  report: Reporter,
): Situations {
  const values = SITUATION_NAMES.flatMap((name) => {
    const value = source?.[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const checks = compileChecks(source?.checks, base.checks, [...path, 'checks'], files, report);
  return { ...base, ...Object.fromEntries(values), checks };
}

function compileChecks(
  source: ChecksSource | undefined,
  base: Checks,
  path: Path,
  files: ReferredFiles,
  report: Reporter,
): Checks {
  if (source === undefined) return base;
  return {
    name: source.name ?? base.name,
    validity: source.validity ?? base.validity,
    proofOfPossession: source.proofOfPossession ?? base.proofOfPossession,
    minVersion: source.minVersion === undefined ? base.minVersion : VERSIONS[source.minVersion],
    trust: source.trust === undefined ? base.trust : loadTrust(source.trust, [...path, 'trust'], files, report),
  };
}

function loadTrust(given: string, path: Path, files: ReferredFiles, report: Reporter): readonly Uint8Array[] {
  const name = given === SYSTEM ? SYSTEM_STORES.find((store) => 'bytes' in files.load(store)) : given;
  if (name === undefined) {
    report.error(
      path,
      `this system has no bundle of trusted certificates: there is none of ${SYSTEM_STORES.join(', ')}`,
    );
    return [];
  }
  const content = files.load(name);
  const certificates = 'error' in content ? [] : certificatesOf(content);
  if ('error' in content) report.error(path, content.error);
  // An empty list would mean that nothing is checked.
  else if (certificates.length === 0) report.error(path, `${name} holds no certificate`);
  return certificates;
}

/** Many pinsets may name one bundle, and it is large. */
const bundles = new WeakMap<FileContent, readonly Uint8Array[]>();

function certificatesOf(content: FileContent): readonly Uint8Array[] {
  const certificates = bundles.get(content) ?? readCertificates(content.bytes);
  bundles.set(content, certificates);
  return certificates;
}

const VERSIONS = { '1.0': 0x0301, '1.1': 0x0302, '1.2': 0x0303, '1.3': 0x0304 } as const;
