import { describe, expect, it } from 'vitest';
import fc from 'fast-check';

import { matchPins } from '../../src/pins/match/match.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import { presentCertificate, type PresentedCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { load, NOW } from '../support/configuration.ts';
import { range } from '../support/policy.ts';

const presented = ['leaf', 'inter', 'other', 'leaf-p256'].map((name) => presentCertificate(certificate(name)));
const DAY = 86_400_000;
const date = (days: number) => new Date(NOW + days * DAY).toISOString();

interface PinObject {
  readonly pin: string;
  readonly at?: string;
  readonly role?: string;
  readonly notBefore?: string;
  readonly expires?: string;
}

/** Each way to write a pin down, with which certificates it is meant for. */
const SPELLINGS: readonly ((c: PresentedCertificate) => string)[] = [
  (c) => `cert-sha256:${c.sha256}`,
  (c) => `sha256 Fingerprint=${c.sha256.toUpperCase().replace(/..(?=.)/g, '$&:')}`,
  (c) => `sha256//${Buffer.from(c.spkiSha256!, 'hex').toString('base64')}`,
  (c) => `pin-sha256="${Buffer.from(c.spkiSha256!, 'hex').toString('base64')}"`,
  (c) => `spki-sha256:${c.spkiSha256!}`,
  (c) => c.key!,
  (c) => `cert:${Buffer.from(c.der).toString('base64')}`,
  (c) => `spki:${Buffer.from(c.spki!).toString('hex')}`,
];

/** What the document says, read anew: does this pin, alone, let this certificate stand at this place? */
function satisfies(entry: PinObject, c: PresentedCertificate, isLeaf: boolean, nowMs: number): boolean {
  const kind = SPELLINGS.find((spell) => spell(c) === entry.pin);
  if (kind === undefined) return false;
  const usual = /^(sha256\/\/|pin-sha256|spki)/.test(entry.pin) ? 'path' : 'leaf';
  const at = entry.at ?? usual;
  if (isLeaf ? at === 'ca' : at === 'leaf') return false;
  return isUsable(entry, nowMs);
}

function isUsable({ notBefore, expires }: PinObject, nowMs: number): boolean {
  if (notBefore !== undefined && nowMs < Date.parse(notBefore)) return false;
  return expires === undefined || nowMs < Date.parse(expires);
}

const anyPin: fc.Arbitrary<PinObject> = fc
  .record(
    {
      of: fc.constantFrom(...presented),
      spell: fc.constantFrom(...SPELLINGS),
      at: fc.constantFrom('leaf', 'ca', 'path'),
      role: fc.constantFrom('primary', 'backup'),
      notBefore: fc.constantFrom(-10, 5, 20).map(date),
      expires: fc.constantFrom(40, 60, 90).map(date),
    },
    { requiredKeys: ['of', 'spell'] },
  )
  .map(({ of, spell, ...more }) => ({ pin: spell(of), ...more }));

describe('random documents', () => {
  it('match as a naive reader of the same document does', () => {
    fc.assert(
      fc.property(
        fc.array(anyPin, { minLength: 1, maxLength: 6 }),
        fc.array(fc.constantFrom(...presented), { minLength: 1, maxLength: 3 }),
        fc.constantFrom(-20, 0, 10, 50, 100),
        (pins, chain, days) => {
          const nowMs = NOW + days * DAY;
          const { policy, errors } = load({
            version: 1,
            pinsets: [{ name: 'p', match: { hosts: ['h.example'] }, pins }],
          });
          expect(errors).toEqual([]);
          const result = matchPins(policy!.pinsets[0]!, chain, nowMs);
          const onLeaf = pins.filter((entry) => satisfies(entry, chain[0]!, true, nowMs));
          const above = chain.slice(1).map((c) => pins.some((entry) => satisfies(entry, c, false, nowMs)));
          if (!pins.some((entry) => isUsable(entry, nowMs))) expect(result.kind).toBe('unusable');
          else if (onLeaf.length > 0) {
            const isPrimary = onLeaf.some(({ role }) => role !== 'backup');
            expect(result).toMatchObject({ kind: 'leaf', pin: { role: isPrimary ? 'primary' : 'backup' } });
          } else if (above.includes(true)) {
            const expected = above.flatMap((matched, i) => (matched ? [i + 1] : []));
            expect(result.kind === 'path' && result.candidates.map(({ index }) => index)).toEqual(expected);
          } else if (result.kind === 'path') {
            // A whole certificate that was not presented may close the path; it takes a verified one to count.
            expect(result).toMatchObject({ candidates: [] });
            expect(result.anchors.length).toBeGreaterThan(0);
            for (const { pin } of result.anchors) {
              expect(
                pins.some((entry) => entry.pin.startsWith('cert:') && isUsable(entry, nowMs) && entry.at !== 'leaf'),
              ).toBe(true);
              expect(chain.some((c) => c.sha256 === pin.key)).toBe(false);
            }
          } else expect(result.kind).toBe('mismatch');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('select the same pinset whatever their order, learning ones and fallbacks too', () => {
    const host = fc.constantFrom('a.example', '*.example', '**.example', '*.a.example', '**.a.example');
    const network = fc.constantFrom('10.0.0.0/8', '10.0.0.0/24', '10.0.0.1');
    const anyMatch = fc.oneof(
      fc.record(
        { hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }), ports: fc.constantFrom([443], ['400-500']) },
        { requiredKeys: ['hosts'] },
      ),
      fc.record({ addresses: fc.uniqueArray(network, { minLength: 1, maxLength: 2 }) }),
      fc.record({ ports: fc.constantFrom([443], ['400-500']) }, { requiredKeys: [] }),
    );
    const pin = SPELLINGS[0]!(presented[0]!);
    const body = fc.constantFrom(
      { pins: [pin] },
      { deny: [pin] },
      { mode: 'learn' },
      { mode: 'learn', then: 'enforce', deny: [pin] },
    );
    const document = fc
      .array(fc.tuple(anyMatch, body), { maxLength: 6 })
      .map((parts) => parts.map(([match, more], i) => ({ name: `p${i}`, match, ...more })));
    let loadable = 0;
    fc.assert(
      fc.property(
        document.chain((pinsets) =>
          fc.tuple(fc.constant(pinsets), fc.shuffledSubarray(pinsets, { minLength: pinsets.length })),
        ),
        fc.constantFrom('10.0.0.1', '10.0.0.9', '10.9.0.1', '192.0.2.1'),
        fc.constantFrom(443, 450, 80),
        fc.option(fc.constantFrom('a.example', 'x.a.example', 'b.example', 'c.d.example', 'example', 'other.test')),
        ([one, other], server, port, name) => {
          const results = [one, other].map((pinsets) => load({ version: 1, learn: { file: 'l.json' }, pinsets }));
          // Whether a file is refused as ambiguous does not depend on the order either.
          expect(results[0]!.policy === null).toBe(results[1]!.policy === null);
          if (results[0]!.policy === null) return;
          loadable++;
          const subject = {
            server: { address: range(server).address, port },
            client: { address: range('10.1.1.1').address, port: 1 },
          };
          const [a, b] = results.map(({ policy }) => new PinsetSnapshot(policy!).select(subject, name));
          expect(a!.require.map((pinset) => pinset.name)).toEqual(b!.require.map((pinset) => pinset.name));
          expect(a!.deny.map((pinset) => pinset.name).sort()).toEqual(b!.deny.map((pinset) => pinset.name).sort());
        },
      ),
      { numRuns: 300 },
    );
    expect(loadable).toBeGreaterThan(50);
  });
});
