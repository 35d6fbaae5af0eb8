/** The fleet that a configuration names, as commands reach it: its servers, its name, and whom it trusts. */
import type { Command } from 'commander';

import type { Fleet } from '../../fleet/publisher.ts';
import { parseSecretKey, type SecretKey } from '../../minisign/keys.ts';
import { readFromDisk, readOrExplain } from '../../pins/document/files.ts';
import type { FleetPolicy, Policy } from '../../pins/policy.ts';
import { neededConfig, policyOf } from '../configuration.ts';

export interface FleetFlags {
  readonly config?: string;
  readonly to?: string;
}

export interface Session extends Fleet {
  /** The configuration that names the fleet, and the policy of it alone. */
  readonly file: string;
  readonly policy: Policy;
}

export function withFleetFlags(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration whose section "fleet" tells of the servers')
    .option('--to <name>', 'the fleet, instead of the one of the configuration');
}

/** Rejects with a sentence where no server can be reached in time. */
export async function withFleet(
  flags: FleetFlags,
  command: Command,
  use: (session: Session) => Promise<void>,
): Promise<void> {
  const file = neededConfig(flags.config, command);
  await withSession(file, policyOf(file, command, 'nothing is asked of the fleet'), flags.to, use);
}

/** The same of a configuration that was read. */
export async function withSession<T>(
  file: string,
  policy: Policy,
  to: string | undefined,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const { fleet } = policy;
  if (fleet === undefined) throw new Error(`${file} has no section "fleet", which would tell of the servers`);
  const { NatsBroker } = await import('../../fleet/nats/broker.ts');
  const { natsOptions } = await import('../../fleet/nats/options.ts');
  const { trustedKeys } = await import('../../runtime/fleet/membership.ts');
  const broker = new NatsBroker(natsOptions(fleet, 'tlspin fleet'));
  try {
    await connected(broker, fleet);
    return await use({ broker, name: to ?? fleet.name, trusted: trustedKeys(fleet), file, policy });
  } finally {
    await broker.close();
  }
}

/** Throws a sentence. */
export function readSecretKey(path: string): SecretKey {
  const content = readOrExplain(path, readFromDisk);
  if ('error' in content) throw new Error(`${content.error}: name it with --key, or make one (tlspin fleet key)`);
  const secret = parseSecretKey(new TextDecoder().decode(content.bytes));
  if ('error' in secret) throw new Error(`${path}: ${secret.error}`);
  return secret;
}

async function connected(broker: Fleet['broker'], { servers }: FleetPolicy): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!broker.connection.isConnected) {
    if (performance.now() > deadline) {
      throw new Error(`no server of the fleet can be reached (${servers.join(', ')}): ${broker.connection.detail}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

const PATIENCE_MS = 8_000;
const LOOK_MS = 50;
