/** `tlspin fleet nkey`: what gateways show to the servers of NATS. */
import type { Command } from 'commander';

import { addExamples } from '../help.ts';
import { Output } from '../output.ts';
import { writeNew } from './new-file.ts';

export function addNkey(fleet: Command): void {
  const nkey = fleet
    .command('nkey')
    .summary('make what gateways show to the servers')
    .description(
      'Make an nkey: FILE has its seed, which gateways show to servers of NATS ("nkey" of their section "fleet"), and ' +
        'what is printed goes into the configuration of the servers. FILE is never overwritten.',
    )
    .argument('[file]', 'of the seed', 'fleet.nkey')
    .action((file: string) => makeNkey(file));
  addExamples(nkey, { command: 'tlspin fleet nkey fleet.nkey', does: 'one for a gateway, or for all of them' });
}

async function makeNkey(file: string): Promise<void> {
  const { nkeys } = await import('@nats-io/transport-node');
  const user = nkeys.createUser();
  writeNew(file, `${new TextDecoder().decode(user.getSeed())}\n`, 0o600);
  new Output(process.stdout).write(
    `${file}: the seed, for gateways and whoever pushes\n` +
      `servers of NATS know it by\n  authorization { users [ { nkey: ${user.getPublicKey()} } ] }\n`,
  );
}
