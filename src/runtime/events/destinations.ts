/** What the log's targets are, as places that lines can be written to, each by a name of its own. */
import type { LogTarget } from '../../pins/policy.ts';
import { fileDestination } from '../../report/file-destination.ts';
import type { LogDestination } from '../../report/log-destination.ts';
import { loadBinding } from '../../source/binding.ts';
import { syslogDestination } from './syslog.ts';
import { transportDestination } from './transport.ts';

export function destinationsOf(targets: readonly LogTarget[]): readonly LogDestination[] {
  const names = new Map<string, number>();
  return targets.map((target) => {
    const name = nameOf(target);
    const count = (names.get(name) ?? 0) + 1;
    names.set(name, count);
    return destinationOf(target, count === 1 ? name : `${name}#${count}`);
  });
}

function destinationOf(target: LogTarget, name: string): LogDestination {
  switch (target.kind) {
    case 'file':
      return fileDestination(target.path);
    case 'syslog':
      return syslogDestination(target, name, (path) => loadBinding().connectUnix(path, true));
    case 'transport':
      return transportDestination(target, name);
  }
}

function nameOf(target: LogTarget): string {
  switch (target.kind) {
    case 'file':
      return target.path;
    case 'syslog':
      return `syslog:${target.socket}`;
    case 'transport':
      return target.stages.at(-1)?.target ?? '';
  }
}
