/** What the engine has said while a fault was played: lines of standard error as patterns, and the log's anomalies by code. */
import type { Stage } from './stage.ts';

export function saidInShort(stage: Stage): string[] {
  const lines = stage.said.split('\n').filter((line) => line !== '' && !USUAL.some((usual) => usual.test(line)));
  const sentences = [...new Set(lines.map((line) => pattern(line, stage.lab.directory)))];
  return [...sentences.map((text) => `“${text}”`), ...stage.anomalies.map((code) => `\`${code}\``)];
}

/** Without what differs from one run to the next. */
function pattern(line: string, directory: string): string {
  return line
    .replaceAll(`${directory}/`, '')
    .replace(/\b(sha256:)?[0-9a-f]{12,}\b/g, '…')
    .replace(/\d+(\.\d+)?/g, 'N')
    .replaceAll('|', '\\|');
}

/** Of any start, reload and end. */
const USUAL = [/^queues? .* bound, /, /^\(Use `node/, /^\(node:/, /^reloaded: /];
