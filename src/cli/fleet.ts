/** `tlspin fleet`: pins that several gateways share, and who vouches for them. The group; each command is a file of fleet/. */
import type { Command } from 'commander';

import { addDiff, addHistory } from './fleet/history.ts';
import { addKey } from './fleet/key.ts';
import { addNkey } from './fleet/nkey.ts';
import { addPush, addRollback } from './fleet/push.ts';
import { addSign } from './fleet/sign.ts';
import { addStatus } from './fleet/status.ts';
import { addVerdicts, addWhy } from './fleet/verdicts.ts';
import { addExamples } from './help.ts';

export function registerFleet(program: Command): void {
  const fleet = program
    .command('fleet')
    .summary('share pins between gateways')
    .description('Share pins between gateways, signed by whoever may change them.');
  addExamples(fleet, { command: 'tlspin fleet key office.key', does: 'the key that your gateways are to trust' });
  addPush(fleet);
  addStatus(fleet);
  addDiff(fleet);
  addHistory(fleet);
  addRollback(fleet);
  addVerdicts(fleet);
  addWhy(fleet);
  addKey(fleet);
  addNkey(fleet);
  addSign(fleet);
}
