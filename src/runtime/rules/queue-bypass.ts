/**
 * Whether the rules let packets pass while nobody listens on a queue (`--queue-bypass`): the user's choice, which only
 * the rules know. Reads what `iptables-save` and `nft` print; where neither tells, it is not known.
 */
import { type RunProgram, runProgram } from '../programs/program.ts';
import { bothKinds, savedRules } from './saved.ts';

/** Null: no rule that sends packets to these queues was found. */
export async function findQueueBypass(
  [first, last]: readonly [number, number],
  run: RunProgram = runProgram,
): Promise<boolean | null> {
  const [iptables, ip6tables, nft] = await Promise.all([
    savedRules(run, 'ipv4').then(bothKinds),
    savedRules(run, 'ipv6').then(bothKinds),
    run('nft', ['list', 'ruleset']),
  ]);
  const rules = [iptables, ip6tables, nft]
    .flatMap((text) => (text ?? '').split('\n'))
    .map((line) => line.replace(QUOTED, '""'))
    .filter((line) => {
      const { from, to = from } = (IPTABLES.exec(line) ?? NFT.exec(line))?.groups ?? {};
      return from !== undefined && Number(from) <= last && first <= Number(to);
    });
  return rules.length === 0 ? null : rules.some((line) => /--queue-bypass\b|\bqueue\b.*\bbypass\b/.test(line));
}

/** Comments are anybody's words. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;
/** `-j NFQUEUE --queue-num 3`, `--queue-balance 0:3`. */
const IPTABLES = /-j NFQUEUE .*--queue-(?:num|balance) (?<from>\d+)(?::(?<to>\d+))?/;
/** `queue num 0-3 bypass`, `queue flags bypass to 0-3`. */
const NFT = /\bqueue (?:.*\b(?:num|to) )?(?<from>\d+)(?:-(?<to>\d+))?/;
