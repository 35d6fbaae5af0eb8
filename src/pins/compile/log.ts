/** The section `log`: what is recorded, and the places that records go to. */
import { isAbsolute } from 'node:path';

import type { ReferredFiles } from '../document/files.ts';
import type { Path, Reporter } from '../document/message.ts';
import type { Configuration } from '../document/schema.ts';
import { FACILITIES } from '../document/facilities.ts';
import type { DestinationSource, SyslogSource, TransportSource } from '../document/schema/log.ts';
import { elements } from '../document/elements.ts';
import type { LogTarget, Policy, SyslogForm, TransportTarget } from '../policy.ts';

export function compileLog(source: Configuration['log'], files: ReferredFiles, report: Reporter): Policy['log'] {
  const { unpinned = false, certificates = 'pins', stats = 0, to } = source ?? {};
  const common = { unpinned, certificates, stats };
  if (to === undefined) return common;
  const path: Path = ['log', 'to'];
  if (!Array.isArray(to)) return { ...common, to: compileTarget(to, path, files, report) };
  const targets: LogTarget[] = [];
  for (const [index, each] of elements(to)) {
    for (const target of compileTarget(each, [...path, index], files, report)) {
      if (targets.some((other) => JSON.stringify(other) === JSON.stringify(target))) {
        report.error([...path, index], 'this is where records go already: name it once');
      } else targets.push(target);
    }
  }
  return { ...common, to: targets };
}

/** None where it is wrong. */
function compileTarget(source: DestinationSource, path: Path, files: ReferredFiles, report: Reporter): LogTarget[] {
  if (typeof source === 'string') {
    if (source === '') report.error(path, 'a file without a name: write its path, or "-" for standard output');
    return source === '' ? [] : [{ kind: 'file', path: source === '-' ? source : files.path(source) }];
  }
  const { syslog, transport } = source;
  if (syslog === undefined && transport === undefined) {
    report.error(path, 'nothing is named here: write { "syslog": {} } or { "transport": { "target": "…" } }');
    return [];
  }
  if (transport === undefined) {
    return [{ kind: 'syslog', socket: files.path(syslog!.socket ?? '/dev/log'), ...compileForm(syslog!, 'local') }];
  }
  if (syslog?.socket !== undefined) {
    report.error([...path, 'syslog', 'socket'], 'the transport is the way there: leave "socket" out, or the transport');
  }
  const form = syslog === undefined ? {} : { syslog: compileForm(syslog, 'rfc5424') };
  return compileTransport(transport, [...path, 'transport'], files, report).map((target) => ({ ...target, ...form }));
}

function compileForm({ facility = 'daemon', format }: SyslogSource, otherwise: SyslogForm['format']): SyslogForm {
  return { facility: FACILITIES[facility], format: format ?? otherwise };
}

function compileTransport(
  { target, options, pipeline }: TransportSource,
  path: Path,
  files: ReferredFiles,
  report: Reporter,
): TransportTarget[] {
  if ((target === undefined) === (pipeline === undefined)) {
    report.error(path, 'exactly one of "target" and "pipeline" is needed');
    return [];
  }
  if (pipeline !== undefined && options !== undefined) {
    report.error([...path, 'options'], '"options" belong to a target: write them beside each target of the pipeline');
  }
  const named =
    pipeline === undefined ? [{ target: target!, options }] : [...elements(pipeline)].map(([, each]) => each);
  const stages = named.map((stage) => ({ target: placed(stage.target, files), options: stage.options ?? {} }));
  return [{ kind: 'transport', stages, folder: files.path('.') }];
}

/** Packages are named as they are. */
function placed(target: string, files: ReferredFiles): string {
  return target.startsWith('.') || isAbsolute(target) ? files.path(target) : target;
}
