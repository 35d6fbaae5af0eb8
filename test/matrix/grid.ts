/** What has become of each client at each server: in one word, which the pages spell as a mark. */
import type { Client } from './clients.ts';
import { EXPLAINED, type Explained } from './explained.ts';
import type { Cell } from './pair.ts';
import { type Version, VERSIONS } from './place.ts';
import type { Server } from './servers.ts';

/** `none`: the two do not talk over this version without tlspin either. */
export type Outcome = 'passes' | 'resumes' | 'none' | 'denied' | 'delivered';

export interface Grid {
  readonly clients: readonly Client[];
  readonly servers: readonly Server[];
  /** Undefined where it was not played. */
  readonly outcomeOf: (client: Client, server: Server, version: Version) => Outcome | undefined;
}

export interface Triple {
  readonly client: Client;
  readonly server: Server;
  readonly version: Version;
  readonly outcome: Outcome;
}

export function outcomeOfCell({ genuine, forged, resumed }: Cell): Outcome {
  if (forged !== 'stopped') return 'delivered';
  if (genuine === 'denied' || resumed === 'denied') return 'denied';
  if (genuine === 'none') return 'none';
  return resumed === undefined ? 'passes' : 'resumes';
}

export function triplesOf({ clients, servers, outcomeOf }: Grid): Triple[] {
  return clients.flatMap((client) =>
    servers
      .filter(({ speaks }) => speaks === client.speaks)
      .flatMap((server) =>
        VERSIONS.flatMap((version) => {
          const outcome = outcomeOf(client, server, version);
          return outcome === undefined ? [] : [{ client, server, version, outcome }];
        }),
      ),
  );
}

/** Of a denial that is no fault. */
export function explanationOf({ client, server, version, outcome }: Triple): Explained | undefined {
  if (outcome !== 'denied') return undefined;
  return EXPLAINED.find(
    (each) => each.client.test(client.name) && each.server.test(server.name) && each.versions.includes(version),
  );
}

export function markOf(triple: Triple): string {
  return explanationOf(triple)?.letter ?? MARKS[triple.outcome];
}

/** What a mark of a page was made of. */
export function outcomeOfMark(mark: string): Outcome | undefined {
  if (EXPLAINED.some(({ letter }) => letter === mark)) return 'denied';
  return (Object.keys(MARKS) as Outcome[]).find((outcome) => MARKS[outcome] === mark);
}

export const MARKS: Readonly<Record<Outcome, string>> = {
  passes: '+',
  resumes: 'r',
  none: '–',
  denied: '**denied**',
  delivered: '**delivered**',
};
