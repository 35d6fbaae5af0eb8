/** Every fault, in the order of the page. */
import type { Fault } from '../fault.ts';
import { OF_THE_CONFIGURATION } from './configuration.ts';
import { OF_THE_KERNEL } from './kernel.ts';
import { OF_THE_LOG } from './log.ts';
import { OF_THE_PROCESS } from './process.ts';
import { OF_RESOURCES } from './resources.ts';

export const FAULTS: Readonly<Record<string, readonly Fault[]>> = {
  'The process': OF_THE_PROCESS,
  'The kernel': OF_THE_KERNEL,
  'The log': OF_THE_LOG,
  'The configuration, and the time of day': OF_THE_CONFIGURATION,
  'Resources, and the network': OF_RESOURCES,
};

export const ALL: readonly Fault[] = Object.values(FAULTS).flat();
