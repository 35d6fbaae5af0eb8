/** The lab's clients in one spelling, for tests that hold whatever the client is. */
import { describe } from 'vitest';

import { lacks } from '../programs.ts';
import type { Lab } from './lab.ts';
import {
  type Outcome,
  type Request,
  requestWithCurl,
  requestWithGo,
  requestWithNode,
  requestWithOpenssl,
} from './peers.ts';

export type Ask = (lab: Lab, host: string, request: Request) => Promise<Outcome>;

export const CLIENTS = {
  curl: requestWithCurl,
  openssl: requestWithOpenssl,
  node: async (lab, host, request) => (await requestWithNode(lab, host, request))[0]!,
  go: async (lab, host, request) => (await requestWithGo(lab, host, request))[0]!,
} as const satisfies Readonly<Record<string, Ask>>;

/** A group of tests for each of them. */
export function describeClients(body: (ask: Ask, client: keyof typeof CLIENTS) => void): void {
  for (const client of Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]) {
    describe.skipIf(client === 'go' && lacks('go'))(client, () => body(CLIENTS[client], client));
  }
}
