/** Configurations for tests: files that exist in memory only. */
import { basename } from 'node:path';
import type { FileContent, ReadFile } from '../../src/pins/document/files.ts';
import { loadPolicy } from '../../src/pins/load.ts';
import type { Policy } from '../../src/pins/policy.ts';

export const NOW = Date.UTC(2026, 0, 1);

/** Files by name, all in one folder. */
export function memoryFiles(files: Record<string, string | Uint8Array>, modifiedMs = NOW): ReadFile {
  return (path): FileContent => {
    const content = files[basename(path)];
    if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return { bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content, modifiedMs };
  };
}

export interface Loaded {
  readonly policy: Policy | null;
  /** `line:column text`. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
}

export function load(document: unknown, files: Record<string, string | Uint8Array> = {}, modifiedMs = NOW): Loaded {
  const isText = typeof document === 'string' || document instanceof Uint8Array;
  const text = isText ? document : JSON.stringify(document);
  const result = loadPolicy('/etc/tlspin/tlspin.json', memoryFiles({ 'tlspin.json': text, ...files }, modifiedMs), NOW);
  const lines = (messages: readonly { line: number; column: number; text: string }[]) =>
    messages.map((m) => `${m.line}:${m.column} ${m.text}`);
  return {
    policy: 'policy' in result ? result.policy : null,
    errors: 'errors' in result ? lines(result.errors) : [],
    warnings: lines(result.warnings),
    notes: lines(result.notes),
  };
}

/** The policy of a document that must be valid. */
export function policyOf(document: unknown, files: Record<string, string | Uint8Array> = {}): Policy {
  const { policy, errors } = load(document, files);
  if (policy === null) throw new Error(errors.join('\n'));
  return policy;
}

/** Pins that are well formed and of nothing. */
export const PIN_A = `sha256//${Buffer.alloc(32, 1).toString('base64')}`;
export const PIN_B = `sha256//${Buffer.alloc(32, 2).toString('base64')}`;
