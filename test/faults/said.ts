/** What the engine has said while a fault was played: conditions and anomalies by their codes, other lines as patterns. */
import type { Stage } from './stage.ts';

export function saidInShort(stage: Stage): string[] {
  const lines = stage.said.split('\n').filter((line) => line !== '' && !USUAL.some((usual) => usual.test(line)));
  const sentences = lines
    .filter((line) => codeOf(line) === undefined)
    .map((line) => pattern(line, stage.lab.directory));
  const codes = [...lines.map(codeOf).filter((code) => code !== undefined), ...stage.anomalies];
  return [
    ...[...new Set(sentences)].map((text) => `“${text}”`),
    ...[...new Set(codes)].sort().map((code) => `\`${code}\``),
  ];
}

/** Of a line that says that a condition has begun, or is over. */
function codeOf(line: string): string | undefined {
  const [, code] = /^(?:degraded|NOT PROTECTED|over after \d+ s) \(([\w.-]+)\): /.exec(line) ?? [];
  return code ?? SENTENCES.find(([sentence]) => sentence.test(line))?.[1];
}

/** Without what differs from one run to the next. */
function pattern(line: string, directory: string): string {
  return line
    .replaceAll(`${directory}/`, '')
    .replace(/\b(sha256:)?[0-9a-f]{12,}\b/g, '…')
    .replace(/\d+(\.\d+)?/g, 'N')
    .replaceAll('|', '\\|');
}

/** Those that say no code, and what is recorded of the same. */
const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^log \S+: (cannot be written|its reader is too slow|is written again)/, 'log.lost'],
  [/^the time of day was set/, 'clock.jump'],
];

/** Of any start, reload and end. */
const USUAL = [/^queues? .* bound, /, /^\(Use `node/, /^\(node:/, /^reloaded: /];
