import { describe, expect, test } from 'vitest';

import { FLIGHT, HELLO, play, playSplitEverywhere } from './dialogue.ts';
import type { Turn } from './dialogue.ts';
import { bytes, UPGRADES } from './upgrades.ts';

const AFTER: readonly Turn[] = [
  ['C', HELLO],
  ['S', FLIGHT],
];
const TLS = { state: 'tls', client: HELLO, server: FLIGHT };

describe.each(UPGRADES)('$name', ({ protocol, before, request, agreement, refusal, clear }) => {
  const dialogue = [...before, request, agreement, ...AFTER];

  test('TLS begins behind the agreement', () => {
    expect(play(dialogue)).toMatchObject({ ...TLS, protocol });
  });

  test('split at every byte, and in chunks of every size, nothing changes', () => {
    for (const outcome of playSplitEverywhere(dialogue)) expect(outcome).toMatchObject({ ...TLS, protocol });
    for (let chunk = 1; chunk < 40; chunk++) expect(play(dialogue, chunk)).toMatchObject({ ...TLS, protocol });
  });

  test('what the server says in one piece with its agreement is TLS', () => {
    const injected = Buffer.concat([bytes(agreement), Buffer.from('250 injected\r\n')]);
    const outcome = play([...before, request, ['S', injected], ['C', HELLO]]);
    expect(outcome).toMatchObject({ state: 'tls', client: HELLO, server: '250 injected\r\n' });
  });

  test('a hello that does not wait for the answer is held until it agrees', () => {
    const pipelined: Turn[] = [...before, ['C', Buffer.concat([bytes(request), Buffer.from(HELLO, 'latin1')])]];
    expect(play(pipelined)).toMatchObject({ state: 'preamble', protocol });
    const whole: Turn[] = [...pipelined, agreement, ['S', FLIGHT]];
    expect(play(whole)).toMatchObject({ ...TLS, by: 'S' });
    for (let chunk = 1; chunk < 40; chunk++) expect(play(whole, chunk)).toMatchObject(TLS);
  });

  test('a server that answers a waiting hello with TLS itself does not have it pass for preamble', () => {
    const pipelined: Turn[] = [...before, ['C', Buffer.concat([bytes(request), Buffer.from(HELLO, 'latin1')])]];
    const outcome = play([...pipelined, ['S', FLIGHT]]);
    expect(outcome).toMatchObject(TLS);
  });

  test('a client that goes on in the clear is foreign, by its own octets', () => {
    expect(play([...before, clear])).toMatchObject({ state: 'foreign', by: 'C' });
    for (let chunk = 1; chunk < 40; chunk++) expect(play([...before, clear], chunk).state).toBe('foreign');
  });

  test('nothing that a server says makes a stream foreign or TLS before the client asks', () => {
    for (const nonsense of ['nonsense\r\n', '\0\x01\x02', FLIGHT, bytes(agreement).toString('latin1')]) {
      expect(
        play([
          ['S', nonsense],
          ['S', nonsense],
        ]).state,
      ).toBe('preamble');
      expect(play([...before, ['S', nonsense], ['S', nonsense]]).state).toBe('preamble');
    }
  });

  test('while the request waits, nonsense of the server leaves the preamble as it is', () => {
    const state = play([...before, request, ['S', 'zz nonsense\r\n']]).state;
    expect(state).toBe('preamble');
  });

  if (refusal !== undefined) {
    test('a refusal returns to the preamble, and a later request is heard', () => {
      expect(play([...before, request, refusal])).toMatchObject({ state: 'preamble', protocol });
      expect(play([...before, request, refusal, request, agreement, ...AFTER])).toMatchObject({ ...TLS, protocol });
    });

    test('after a refusal a client that goes on in the clear is foreign', () => {
      expect(play([...before, request, refusal, clear])).toMatchObject({ state: 'foreign', by: 'C' });
    });

    test('plain text behind the request is held, and the client’s again after a refusal', () => {
      const both = Buffer.concat([bytes(request), bytes(clear)]);
      expect(play([...before, ['C', both]]).state).toBe('preamble');
      expect(play([...before, ['C', both], refusal]).state).toBe('preamble');
      expect(play([...before, ['C', both], refusal, ['C', 'x']])).toMatchObject({ state: 'foreign', by: 'C' });
    });

    test('a hello behind a refusal is TLS all the same: the client has asked', () => {
      expect(play([...before, request, refusal, ...AFTER])).toMatchObject(TLS);
      const pipelined = Buffer.concat([bytes(request), Buffer.from(HELLO, 'latin1')]);
      expect(play([...before, ['C', pipelined], refusal, ['S', FLIGHT]])).toMatchObject(TLS);
    });
  }
});
