/** A test for each server and version, some at a time: every client that speaks with it plays there. Pages are for others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Client, CLIENTS } from './clients.ts';
import { explanationOf, type Grid, type Outcome, outcomeOfCell } from './grid.ts';
import type { Page } from './page.ts';
import { type Faces, has, playPair } from './pair.ts';
import { type Face, FIRST_PORT, Place, SIDES, type Version, VERSIONS } from './place.ts';
import { type Program, versionOf } from './program.ts';
import type { Server } from './servers.ts';
import { UPGRADING_CLIENTS } from './upgrades.ts';

/** After each server the page says what has been played so far; what has not, it says as before. */
export function itPlays(
  all: { readonly clients: readonly Client[]; readonly servers: readonly Server[] },
  page: Page,
  by: 'name' | 'address',
): void {
  const asked = JSON.parse(process.env['MATRIX'] ?? '') as { clients?: string; servers?: string };
  const clients = chosen(all.clients, asked.clients);
  const servers = chosen(all.servers, asked.servers);
  const played = new Map<string, Outcome>();
  const outcomeOf: Grid['outcomeOf'] = (client, server, version) =>
    played.get(nameOf(client, server, version)) ?? page.read(client, server, version);

  let place: Place;
  beforeAll(async () => {
    place = await Place.create(by);
  });
  afterAll(() => place.close());

  describe.concurrent.each(servers)('$name', (server) => {
    it.each(VERSIONS)('TLS %s', { timeout: 3_600_000 }, async (version) => {
      const faces = facesOf(all.servers.indexOf(server), version);
      const running = [];
      for (const side of SIDES) running.push(await place.serve(server.serve, faces[side]));
      await expectForgery(place, server, faces.forged);
      const wrong: string[] = [];
      for (const client of clients.filter(({ speaks }) => speaks === server.speaks)) {
        const cell = await playPair(place, client, server, faces);
        const outcome = outcomeOfCell(cell);
        played.set(nameOf(client, server, version), outcome);
        const { genuine, forged, resumed, denials, said } = cell;
        const words = [client.name, server.name, version, genuine, forged, resumed, ...denials, said];
        console.log(words.filter(Boolean).join(', '));
        const isExplained = explanationOf({ client, server, version, outcome }) !== undefined;
        if (outcome === 'delivered' || (outcome === 'denied' && !isExplained)) wrong.push(words.join(', '));
      }
      await Promise.all(running.map((child) => child.stop('SIGKILL')));
      page.write({ clients: known(all.clients), servers: known(all.servers), outcomeOf });
      expect(wrong).toEqual([]);
    });
  });
}

/** It would be served to whoever is not protected: else that nobody gets it says nothing. */
async function expectForgery(place: Place, server: Server, face: Face): Promise<void> {
  const isOpenssl = ({ name, speaks }: Client): boolean => name === 'openssl s_client' && speaks === server.speaks;
  const openssl = [...CLIENTS, ...UPGRADING_CLIENTS].find(isOpenssl)!;
  const { got } = await place.ask(openssl.ask, face, 'server');
  expect(has(openssl, server, got, 'forged'), got).toBe(true);
}

/** Each face has a port of its own. */
function facesOf(position: number, version: Version): Faces {
  const port = FIRST_PORT + 4 * position + 2 * VERSIONS.indexOf(version);
  return { genuine: { side: 'genuine', version, port }, forged: { side: 'forged', version, port: port + 1 } };
}

function nameOf(client: Client, server: Server, version: Version): string {
  return [client.name, server.name, version].join('\n');
}

/** Those that are asked for and here; of the others the command says so. */
function chosen<T extends Program>(programs: readonly T[], pattern = ''): T[] {
  const asked = programs.filter(({ name }) => new RegExp(pattern, 'i').test(name));
  for (const { name, debian } of asked.filter((program) => !known(asked).includes(program))) {
    console.log(`left out: ${name} (sudo apt install ${debian})`);
  }
  return known(asked);
}

function known<T extends Program>(programs: readonly T[]): T[] {
  return programs.filter((program) => versionOf(program) !== undefined);
}
