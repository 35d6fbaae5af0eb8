/** What a soak must come to, and how it is told. */
import { ENDED_BY_ITSELF } from './site.ts';
import { mebibytes, type SoakResult } from './soak.ts';

/** Sentences for what was promised and did not hold. */
export function broken({ sums, longLived, memory, balance, done }: SoakResult, isLong: boolean): string[] {
  const promises: readonly (readonly [boolean, string])[] = [
    [sums.connections > 0 && sums.forged > 0, 'nobody visited'],
    [sums.forgedDelivered === 0, `${sums.forgedDelivered} forged connections were delivered`],
    [sums.wrongDenials === 0, `${sums.wrongDenials} genuine or unpinned connections were denied outside of gaps`],
    [sums.unrecorded === 0, `${sums.unrecorded} connections are recorded nowhere`],
    [sums.tornLines === 0, `${sums.tornLines} lines of the log are torn`],
    [longLived.lost === 0, `${longLived.lost} connections that were open did not stay`],
    [done[ENDED_BY_ITSELF] === undefined, `the engine has ended by itself, ${done[ENDED_BY_ITSELF]} times`],
    [balance === 0, `the verdicts of ${balance} packets do not add up`],
    [!isLong || memory.end <= memory.begin * LEVEL, 'memory does not stay level'],
  ];
  return promises.filter(([isKept]) => !isKept).map(([, sentence]) => sentence);
}

export function table(result: SoakResult): string {
  const { sums, unexplained, reasons, done, longLived, memory, balance, troubles, said } = result;
  const rows = [
    ['connections', sums.connections],
    ['  while no engine ran', sums.inGaps],
    ['forged tried', sums.forged],
    ['forged delivered', sums.forgedDelivered],
    ['denied wrongly', sums.wrongDenials],
    ['unanswered, outside of gaps', sums.unanswered],
    ['without a record', sums.unrecorded],
    ['torn lines of the log', sums.tornLines],
    ['open all the time, lost', `${longLived.opened}, ${longLived.lost}`],
    ['verdicts that do not add up', balance],
    ['memory, second half', `${mebibytes(memory.begin)}, at the end ${mebibytes(memory.end)}`],
    ...Object.entries(done),
    ...Object.entries(reasons).map(([reason, count]) => [`verdict: ${reason}`, count]),
  ];
  const lines = rows.map(([name, value]) => `${`${name}`.padEnd(36)} ${value}`);
  return [
    ...lines,
    ...unexplained.slice(0, 20).map((one) => `not served: ${JSON.stringify(one)}`),
    ...troubles.slice(0, 20).map((message) => `not done: ${message}`),
    ...(done[ENDED_BY_ITSELF] === undefined ? [] : [`said: ${said.slice(-2_000)}`]),
  ].join('\n');
}

/** A heap breathes. */
const LEVEL = 1.25;
