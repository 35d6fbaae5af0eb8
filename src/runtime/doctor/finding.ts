/** What a look around finds, and what it looks with. */
import { CONDITIONS, type ConditionCode } from '../protection/conditions.ts';
import type { Devices } from '../rules/beside/devices.ts';
import type { ReadFile } from '../rules/beside/kernel-file.ts';
import type { RunProgram } from '../programs/program.ts';

/** As bad as a condition of protection may be; `note`: to be known, no more. */
export type Gravity = 'fine' | 'note' | 'degraded' | 'unprotected';

export interface Finding {
  /** Stable dotted code; where it is a condition of protection, that one's. */
  readonly code: string;
  readonly gravity: Gravity;
  /** What there is. */
  readonly detail: string;
  /** Absent where nothing is wrong. */
  readonly mend?: string | undefined;
}

/** The machine around tlspin; replaced in tests. */
export interface Surroundings {
  readonly run: RunProgram;
  readonly read: ReadFile;
  /** Names in a directory; empty where there is none. */
  readonly list: (path: string) => readonly string[];
  /** Undefined where the kernel lets nobody ask. */
  readonly devices: Pick<Devices, 'read' | 'filtered'> | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function condition(code: ConditionCode, detail: string): Finding {
  const { severity, mend } = CONDITIONS[code];
  return { code, gravity: severity, detail, mend };
}
