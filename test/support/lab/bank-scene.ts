/**
 * For files that import it: one bank, and one scene for all their tests, which the file opens in its `beforeAll`. What was
 * logged, and what servers have seen, begins anew with each test.
 */
import { afterAll, beforeEach } from 'vitest';

import { type Bank, makeBank, NAME } from './bank.ts';
import { type Face, Faces } from './faces.ts';
import type { Lab } from './lab.ts';
import type { Request } from './peers.ts';
import { Scene } from './scene.ts';

export let bank: Bank;
export let scene: Scene;
export let lab: Lab;
export let faces: Faces;

/** `prepare` makes the configuration, and may make more; `names`: what the bank's certificates are for. */
export async function openScene(
  prepare: () => object | Promise<object>,
  { names, ...options }: { names?: readonly string[] } & Parameters<typeof Scene.create>[1] = {},
): Promise<void> {
  bank = makeBank(names);
  scene = await Scene.create((made) => {
    lab = made;
    return prepare();
  }, options);
}

/** Servers of the host `server`, by port. */
export async function openFaces(ports: Readonly<Record<number, readonly Face[]>>): Promise<void> {
  faces = await Faces.start(lab, 'server', ports);
  opened.add(faces);
}

/** What a client asks that trusts both authorities: the pinned name unless told. */
export function requestTo(port: number, options: Partial<Request> = {}): Request {
  return { host: lab.address('server'), port, servername: NAME, ca: bank.ca, ...options };
}

beforeEach(() => {
  scene.begin();
  for (const one of opened) one.forget();
});
afterAll(async () => {
  await scene.close();
  bank.remove();
});

const opened = new Set<Faces>();
