/** What is recorded of hosts that are learned about, where a configuration does not say otherwise. */
import type { LearnPolicy } from './policy.ts';

export const LEARN_DEFAULTS: LearnPolicy = { file: null, observations: 20, spacing: 60, hosts: 4_096, keys: 16 };
