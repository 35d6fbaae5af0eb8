/**
 * The sections `probe` and `keylog`: what the prober and the key logs are told. What contradicts other parts of the file
 * is reported where it is.
 */
import { hex, isOneBit, parseBits } from './connmark.ts';
import type { ReferredFiles } from '../document/files.ts';
import type { Limits } from '../limits.ts';
import type { Path, Reporter } from '../document/message.ts';
import type { ConnmarkLayout, KeylogPolicy, ProbePolicy } from '../policy.ts';
import { isKeylogged, PROBE_DEFAULTS } from '../probe.ts';
import type { Configuration } from '../document/schema.ts';
import type { KeylogSource, ProbeSection } from '../document/schema/evidence.ts';
import { elements } from '../document/elements.ts';

export function compileProbe(
  source: ProbeSection | undefined,
  limits: Limits,
  connmark: ConnmarkLayout,
  report: Reporter,
): ProbePolicy {
  const { mark, ...given } = source ?? {};
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const asked = { ...PROBE_DEFAULTS, ...said };
  // An answer that comes with the end of the wait is none: what ends has to be the probe, which says why.
  const timeout = Math.max(1, Math.min(asked.timeout, Math.floor(limits.holdTime * AHEAD_OF_HOLD)));
  const policy = { ...asked, timeout, mark: compileMark(mark, connmark, report) };
  if (given.timeout !== undefined && given.timeout > limits.holdTime) {
    report.error(
      ['probe', 'timeout'],
      `a flow is held for ${limits.holdTime} ms at the most (limits.holdTime): wait no longer for its probe`,
    );
  }
  if (policy.decoys > 0 && policy.source !== 'client') {
    report.error(
      ['probe', 'decoys'],
      `decoys have to have their client's address, or they are told from it: add "source": "client"`,
    );
  }
  return policy;
}

/** Milliseconds that a flow has to be held for a probe that may take so long. */
export function holdTimeFor(timeout: number): number {
  return Math.ceil(timeout / AHEAD_OF_HOLD);
}

export function compileKeylog(
  source: KeylogSource | undefined,
  limits: Limits,
  files: ReferredFiles,
  report: Reporter,
): KeylogPolicy {
  if (source === undefined) return { file: null, socket: null };
  const { file, socket } = source;
  if ((file === undefined) === (socket === undefined))
    report.error(['keylog'], 'a key log is either "file" or "socket"');
  if (limits.keylogWait > limits.holdTime) {
    report.error(
      ['limits', 'keylogWait'],
      `a flow is held for ${limits.holdTime} ms at the most (limits.holdTime): wait no longer for its secret`,
    );
  }
  const path = (name: string | undefined) => (name === undefined ? null : files.path(name));
  return { file: path(file), socket: path(socket) };
}

/** What would wait for secrets that nobody could ever give. */
export function reportMissingKeylog(source: Configuration, report: Reporter): void {
  if (source.keylog !== undefined) return;
  const places: (readonly [Path, string | undefined])[] = [
    ...[...elements(source.pinsets)].map(([index, { tls13 }]) => [['pinsets', index], tls13] as const),
    [['pinned'], source.pinned?.tls13],
    [['unpinned'], source.unpinned?.tls13],
  ];
  for (const [path, tls13] of places) {
    if (!isKeylogged(tls13)) continue;
    report.error(
      [...path, 'tls13'],
      `"${tls13}" needs to know where clients log their secrets: add "keylog": { "file": … } or { "socket": … }`,
    );
  }
}

/** Its connection mark must not be taken for a decision, nor be written by one. */
function compileMark(source: string | number | undefined, { mask, told }: ConnmarkLayout, report: Reporter): number {
  const path: Path = ['probe', 'mark'];
  const mark = source === undefined ? PROBE_DEFAULTS.mark : parseBits(String(source));
  if (mark === undefined || !isOneBit(mark)) {
    report.error(path, `"${source}" is not a mark of one bit such as "0x400000"`);
    return PROBE_DEFAULTS.mark;
  }
  if ((mark & (mask | told)) !== 0) {
    report.error(
      source === undefined ? ['connmark', 'mask'] : path,
      `the engine's own bits ${hex((mask | told) >>> 0)} ("connmark") hold ${hex(mark)}, the mark of probes ("probe"): choose another for one of them`,
    );
  }
  return mark;
}

/** Of the time that a flow may wait, for its probe; the rest is for the way to the main thread and back. */
const AHEAD_OF_HOLD = 0.9;
