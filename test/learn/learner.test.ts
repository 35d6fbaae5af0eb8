import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ContinuedEvent, VerdictEvent } from '../../src/judge/events.ts';
import { rootsOf } from '../../src/learn/chain.ts';
import { Learner } from '../../src/learn/learner.ts';
import { readState } from '../../src/learn/state-file.ts';
import type { CompiledPinset, Policy } from '../../src/pins/policy.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { bank, forgedFlight, genuineFlight, HOST, opened } from '../support/flows.ts';
import { match, pin, pinset, policy, range } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import { tlsSummary, verdictEvent } from '../support/verdict-event.ts';

const spki = (name: string) => Buffer.from(presentCertificate(certificate(name)).spkiSha256!, 'hex').toString('base64');
const LEAF = spki('leaf');
const FORGED = spki('forged');
const AT = `${HOST}:443`;
const MS = 1_700_000_000_000;

let folder: string;
let file: string;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-learn-'));
  file = join(folder, 'learned.json');
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const clientGoesOn = Buffer.concat([tls.clientFinish, tls.applicationData]);

const learning = (more: Partial<CompiledPinset> = {}) =>
  bank({ name: 'bank', pins: [], mode: 'learn', then: 'enforce', ...more });
const anyone = (more: Partial<CompiledPinset> = {}) => learning({ name: 'any', match: match(), ...more });
const settings = (observations: number, ...pinsets: CompiledPinset[]): Policy =>
  policy({ pinsets, learn: { file, observations, spacing: 0, hosts: 4, keys: 4 } });
const learnerOf = (loaded: Policy, roots = rootsOf([]), now?: () => number) =>
  new Learner({ policy: loaded.learn, say: (line) => said.push(line), roots, now });

/** A flow that was let through, of a server that has proven its key. */
function verdict(host: string | null, chain: readonly string[], more: Partial<VerdictEvent> = {}): VerdictEvent {
  return verdictEvent({
    time: MS * 1000,
    reason: 'learning',
    pinset: 'any',
    mode: 'learn',
    would: 'accept',
    tls: tlsSummary({ sni: host, certificates: chain.map(certificate) }),
    ...more,
  });
}

/** The client of such a flow has gone on. */
const seen = (...given: Parameters<typeof verdict>): ContinuedEvent => ({
  kind: 'continued',
  verdict: verdict(...given),
});

const codes = (lesson: ReturnType<Learner['observe']>) => lesson.anomalies.map(({ code }) => code);

describe('trust on first use, on the wire', () => {
  it('accepts what it learns, and denies a change from then on, saying what has changed', () => {
    const loaded = settings(2, learning());
    const learner = learnerOf(loaded);
    let inForce = learner.refine(loaded);
    const flow = (flight: Buffer) => {
      const wire = opened(inForce);
      wire.fromClient(tls.clientHello(HOST));
      wire.fromServer(flight);
      wire.fromClient(clientGoesOn);
      const lesson = learner.observe(wire.events);
      if (lesson.hasChanged) inForce = learner.refine(loaded);
      return { verdict: wire.verdicts[0]!, lesson };
    };
    expect(flow(genuineFlight).verdict).toMatchObject({
      action: 'accept',
      reason: 'learning',
      mode: 'learn',
      pinset: 'bank',
    });
    expect(inForce).toBe(loaded);
    const second = flow(genuineFlight);
    expect(second.lesson).toMatchObject({ hasChanged: true, anomalies: [{ code: 'learn.promoted' }] });
    expect(inForce.hash).not.toBe(loaded.hash);

    expect(flow(genuineFlight).verdict).toMatchObject({ action: 'accept', reason: 'pin-match', mode: 'enforce' });
    const changed = flow(forgedFlight);
    expect(changed.verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'pin-mismatch',
      mode: 'enforce',
      pinset: 'bank',
    });
    expect(codes(changed.lesson)).toEqual(['learn.changed']);
    expect(changed.lesson.anomalies[0]!.detail).toContain(`showed spki-sha256:${FORGED}`);
    expect(changed.lesson.anomalies[0]!.detail).toContain(`instead of spki-sha256:${LEAF}`);
    expect(flow(genuineFlight).verdict).toMatchObject({ reason: 'pin-match' });
  });

  it('never lifts the denial of another pinset, nor learns what that refused', () => {
    const address = pinset(1, {
      name: 'address',
      match: match({ addresses: [range('198.51.100.7')] }),
      pins: [pin('key', 'rsa:00')],
    });
    const loaded = settings(1, learning(), address);
    const learner = learnerOf(loaded);
    const wire = opened(learner.refine(loaded));
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', pinset: 'address', reason: 'pin-mismatch' }]);
    expect(learner.observe(wire.events)).toEqual({ anomalies: [], hasChanged: false });
  });

  it('never lifts a deny pin', () => {
    const denied = { deny: [pin('spki-sha256', presentCertificate(certificate('forged')).spkiSha256!, { at: 'any' })] };
    const wire = opened({ pinsets: [learning(denied)] });
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'deny-pin' }]);
  });

  it('holds only the host that was learned: others of the pinset are still learned about', () => {
    const loaded = settings(1, learning({ match: match({ hosts: [HOST, 'shop.example'] }) }));
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    learner.observe([seen(HOST, ['leaf'], { pinset: 'bank' })]);
    const select = (name: string, port = 443) => {
      const subject = {
        server: { address: new Uint8Array([198, 51, 100, 7]), port },
        client: { address: new Uint8Array(4), port: 1 },
      };
      return new PinsetSnapshot(learner.refine(loaded)).select(subject, name).require[0]!;
    };
    expect(select(HOST)).toMatchObject({ name: 'bank', mode: 'enforce', pins: [{ canonical: `spki-sha256:${LEAF}` }] });
    expect(select('WWW.Bank.Example.')).toMatchObject({ mode: 'enforce' });
    expect(select(HOST, 8443)).toMatchObject({ mode: 'learn', pins: [] });
    expect(select('shop.example')).toMatchObject({ mode: 'learn', pins: [] });
  });

  it('keeps the pins that were written', () => {
    const written = pin('key', 'rsa:00');
    const loaded = settings(1, learning({ pins: [written] }));
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    learner.observe([seen(HOST, ['leaf'], { pinset: 'bank', reason: 'pin-mismatch', would: 'tls-alert' })]);
    const [refined] = learner.refine(loaded).pinsets;
    expect(refined!.learned!.get(AT)!.pins).toMatchObject([written, { canonical: `spki-sha256:${LEAF}` }]);
  });

  it('without "then" changes nothing', () => {
    const loaded = settings(1, learning({ then: undefined }));
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    expect(learner.observe([seen(HOST, ['leaf'], { pinset: 'bank' })])).toEqual({
      anomalies: [],
      hasChanged: false,
    });
    expect(learner.refine(loaded)).toBe(loaded);
  });
});

describe('what counts', () => {
  it.each<[string, Partial<VerdictEvent>]>([
    ['nobody has proven', { proven: false }],
    ['nobody says was proven', { proven: undefined }],
    ['rests on no evidence', { evidence: 'none' }],
    ['was resumed', { evidence: 'resumed' }],
    ['was denied', { action: 'tls-alert' }],
    ['failed a check', { reason: 'name-mismatch' }],
    ['has expired', { reason: 'expired-pinset' }],
    ['is of another pinset', { pinset: 'other' }],
    ['showed no certificate', { tls: { ...verdict(HOST, []).tls! } }],
    ['has a name that is none', { tls: { ...verdict('a b\u001b[2J', ['leaf']).tls! } }],
  ])('nothing that %s', async (_what, more) => {
    const loaded = settings(1, anyone());
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    expect(learner.observe([seen(HOST, ['leaf'], more)]).hasChanged).toBe(false);
    await learner.save();
    expect(readState(file).pinsets).toEqual({});
  });

  it.each(['observed', 'probed', 'decrypted'] as const)('certificates that were %s', (evidence) => {
    const loaded = settings(1, anyone());
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    expect(learner.observe([seen(HOST, ['leaf'], { evidence })]).hasChanged).toBe(true);
  });

  it('the pinset that learns, where another one decided', () => {
    const loaded = settings(1, learning());
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    const others = [{ pinset: 'bank', reason: 'learning', would: 'accept' }] as const;
    const event = seen(HOST, ['leaf'], {
      pinset: 'address',
      reason: 'pin-match',
      mode: 'enforce',
      would: null,
      others,
    });
    expect(codes(learner.observe([event]))).toEqual(['learn.promoted']);
  });
});

describe('a key that signs for unrelated hosts', () => {
  const flagged = (chainA: string[], chainB: string[], hostB = 'shop.test') => {
    const loaded = settings(2, anyone());
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    const lessons = [HOST, hostB, HOST, hostB].map((host) =>
      learner.observe([seen(host, host === HOST ? chainA : chainB)]),
    );
    return { lessons: lessons.flatMap(codes), learned: learner.refine(loaded).pinsets[0]!.learned?.size ?? 0 };
  };

  it('as the leaf of both is never promoted, and said once', () => {
    expect(flagged(['leaf'], ['leaf'])).toEqual({ lessons: ['learn.shared-key'], learned: 0 });
  });

  it('as the issuer of both is never promoted, nor what it signs', () => {
    expect(flagged(['leaf', 'inter'], ['other', 'inter'])).toEqual({ lessons: ['learn.shared-key'], learned: 0 });
  });

  it('that was not sent with either is suspected by its name', () => {
    expect(flagged(['leaf'], ['other']).learned).toBe(0);
  });

  it('is none where the hosts are one site', () => {
    expect(flagged(['leaf'], ['leaf'], 'api.bank.example').learned).toBe(2);
  });

  it('takes a promotion back when it shows later, and says so', () => {
    const loaded = settings(1, anyone());
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    expect(codes(learner.observe([seen(HOST, ['leaf'])]))).toEqual(['learn.promoted']);
    expect(learner.refine(loaded).pinsets[0]!.learned!.size).toBe(1);
    const later = learner.observe([seen('shop.test', ['leaf'])]);
    expect([later.hasChanged, codes(later)]).toEqual([true, ['learn.shared-key']]);
    expect(learner.refine(loaded)).toBe(loaded);
  });

  it('is not taken back for an issuer that was only named', () => {
    const loaded = settings(1, anyone());
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    learner.observe([seen(HOST, ['leaf'])]);
    learner.observe([seen('shop.test', ['other'])]);
    expect([...learner.refine(loaded).pinsets[0]!.learned!.keys()]).toEqual([AT]);
  });

  it("is a CA's own where everybody trusts it: leaves below it are promoted", () => {
    const loaded = settings(1, anyone());
    const learner = learnerOf(loaded, rootsOf([certificate('root')]));
    learner.refine(loaded);
    learner.observe([seen(HOST, ['leaf', 'inter']), seen('shop.test', ['other', 'inter'])]);
    expect(learner.refine(loaded).pinsets[0]!.learned!.size).toBe(2);
  });
});

describe('a promotion', () => {
  const promoted = (...pinsets: CompiledPinset[]) => {
    const loaded = settings(1, ...(pinsets.length === 0 ? [anyone()] : pinsets));
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    learner.observe([seen(HOST, ['leaf', 'inter'])]);
    const held = () => [...(learner.refine(loaded).pinsets[0]!.learned?.keys() ?? [])];
    expect(held()).toEqual([AT]);
    return { loaded, learner, held };
  };

  it('stands when its issuer turns out to sign for others: who has a certificate of it is not to undo it', () => {
    const { learner, held } = promoted();
    const { anomalies } = learner.observe([seen('shop.test', ['other', 'inter'])]);
    expect(anomalies).toMatchObject([{ code: 'learn.shared-key' }]);
    expect(anomalies[0]!.detail).toContain(`${AT}: held to a key below it`);
    expect(anomalies[0]!.detail).toContain('tlspin learn forget');
    expect(held()).toEqual([AT]);
  });

  it('by a probe is changed by a probe', () => {
    const { learner } = promoted();
    const denied = { action: 'tls-alert', reason: 'probe-mismatch', evidence: 'probed', mode: 'enforce' } as const;
    expect(codes(learner.observe([verdict(HOST, ['forged'], denied)]))).toEqual(['learn.changed']);
  });

  it('of a policy that does not mean it any more is kept, and what became of it is said once', () => {
    const { loaded, learner, held } = promoted();
    const reload = (...pinsets: CompiledPinset[]) => {
      said = [];
      const refined = learner.refine({ ...loaded, pinsets });
      learner.refine({ ...loaded, pinsets });
      return [refined.pinsets.some(({ learned }) => learned !== undefined), ...said];
    };
    const kept = `${file} keeps them`;
    const isNot = `${AT} is held no more to the keys that were learned of it`;
    expect(reload(anyone({ then: undefined }))).toEqual([
      false,
      `${isNot}: the pinset "any" has no "then": "enforce"; ${kept}`,
    ]);
    expect([held(), said.length]).toEqual([[AT], 1]);
    expect(reload(anyone({ mode: 'enforce', then: undefined }))[1]).toContain('"any" does not learn any more');
    expect(held()).toEqual([AT]);
    expect(reload(anyone({ name: 'other' }))[1]).toContain('there is no pinset "any"');
    expect(held()).toEqual([AT]);
    expect(reload(anyone({ match: match({ hosts: ['shop.test'] }) }))[1]).toContain('"any" is not for it');
    expect(held()).toEqual([AT]);
    expect(reload(anyone({ match: match({ hosts: ['**.bank.example'] }) }))).toEqual([true]);
  });

  it('of a file that the first policy does not mean is said', async () => {
    const { learner, loaded } = promoted();
    await learner.save();
    const next = { ...loaded, pinsets: [] };
    learnerOf(next).refine(next);
    expect(said).toEqual([expect.stringContaining(`${AT} is not held to the keys that were learned of it`)]);
  });

  it('is forgotten in the file first, and what the flows of before still show does not count', async () => {
    const { learner, loaded, held } = promoted();
    const before = learner.refine(loaded).hash;
    learner.observe([seen('shop.test', ['other'])]);
    expect(await learner.forget({ targets: [HOST] })).toEqual([
      { pinset: 'any', host: AT, observations: 1, held: [`spki-sha256:${LEAF}`] },
    ]);
    expect(Object.keys(readState(file).pinsets.any!)).toEqual(['shop.test:443']);
    expect(held()).toEqual(['shop.test:443']);
    expect(learner.observe([seen(HOST, ['leaf'], { config: before })]).hasChanged).toBe(false);
    expect(codes(learner.observe([seen(HOST, ['forged'])]))).toEqual(['learn.promoted']);
  });

  it('takes a key that was refused as well, in the file first, and no other key', async () => {
    const { learner, loaded, held } = promoted();
    const request = { pinset: 'any', host: HOST, spki: FORGED };
    await expect(learner.accept(request)).rejects.toThrow(`nothing is learned of ${HOST} for the pinset "any" that`);
    const denied = { action: 'tls-alert', reason: 'pin-mismatch', mode: 'enforce' } as const;
    learner.observe([verdict(HOST, ['forged'], denied)]);
    expect(await learner.accept(request)).toEqual([AT]);
    const pins = learner
      .refine(loaded)
      .pinsets[0]!.learned!.get(AT)!
      .pins.map(({ canonical }) => canonical);
    expect(pins).toEqual([`spki-sha256:${LEAF}`, `spki-sha256:${FORGED}`]);
    expect(readState(file).pinsets.any![AT]).toMatchObject({ promoted: { keys: [LEAF, FORGED] }, refused: [] });
    rmSync(folder, { recursive: true });
    learner.observe([verdict(HOST, ['other'], denied)]);
    await expect(learner.accept({ ...request, spki: spki('other') })).rejects.toThrow('cannot be written');
    mkdirSync(folder);
    const [, , known] = [...learner.hosts()][0]!;
    expect([held(), known.promoted!.keys]).toEqual([[AT], [LEAF, FORGED]]);
  });

  it('is not forgotten where the file cannot be written, nor with a host that nobody knows', async () => {
    const { learner, held } = promoted();
    await expect(learner.forget({ targets: [HOST, 'nobody.example'] })).rejects.toThrow(
      'nothing was learned of "nobody.example"',
    );
    expect(held()).toEqual([AT]);
    rmSync(folder, { recursive: true });
    await expect(learner.forget({ targets: [HOST] })).rejects.toThrow(`${file} cannot be written: ENOENT`);
    expect(held()).toEqual([AT]);
    mkdirSync(folder);
    await learner.forget({ targets: [HOST] });
    expect(held()).toEqual([]);
  });

  it('loses no observation to a host that is forgotten meanwhile', async () => {
    const { learner } = promoted();
    const forgetting = learner.forget({ targets: [HOST] });
    learner.observe([seen('shop.test', ['other'])]);
    await forgetting;
    await learner.save();
    expect(readState(file).pinsets).toMatchObject({ any: { 'shop.test:443': { observations: 1 } } });
    expect(Object.keys(readState(file).pinsets.any!)).toEqual(['shop.test:443']);
  });
});

it('many connections at once are one observation', () => {
  const loaded = { ...settings(3, anyone()), learn: { file, observations: 3, spacing: 60, hosts: 4, keys: 4 } };
  let seconds = 0;
  const learner = learnerOf(loaded, rootsOf([]), () => seconds * 1_000);
  learner.refine(loaded);
  const observed = (at: number, timeOfDay = at) => {
    seconds = at;
    return codes(learner.observe([seen(HOST, ['leaf'], { time: (MS + timeOfDay * 1_000) * 1_000 })]));
  };
  for (let at = 0; at < 59; at++) expect(observed(at)).toEqual([]);
  // Whatever becomes of the time of day.
  for (const at of [56, 57, 58]) expect(observed(at, (57 - at) * 3_600)).toEqual([]);
  for (const at of [60, 61, 119]) expect(observed(at)).toEqual([]);
  expect(observed(120)).toEqual(['learn.promoted']);
});

it('a verdict alone teaches nothing: its client has not gone on', () => {
  const loaded = settings(1, anyone());
  const learner = learnerOf(loaded);
  learner.refine(loaded);
  expect(learner.observe([verdict(HOST, ['leaf'])])).toEqual({ anomalies: [], hasChanged: false });
});

describe('across restarts', () => {
  it('what was promoted is in force from the start, and counts go on', async () => {
    const loaded = settings(2, anyone());
    const before = learnerOf(loaded);
    before.refine(loaded);
    before.observe([seen(HOST, ['leaf']), seen(HOST, ['leaf']), seen('shop.test', ['forged'])]);
    await before.save();

    const after = learnerOf(loaded);
    expect([...after.refine(loaded).pinsets[0]!.learned!.keys()]).toEqual([AT]);
    expect(after.refine(loaded).hash).toBe(before.refine(loaded).hash);
    expect(codes(after.observe([seen('shop.test', ['forged'])]))).toEqual(['learn.promoted']);
  });

  it('no more hosts are recorded than are allowed, which is said once', async () => {
    const loaded = settings(9, anyone());
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    const twice = (name: string) => [seen(name, ['leaf']), seen(name, ['leaf'])];
    learner.observe(Array.from({ length: 4 }, (_, i) => twice(`h${i}.example`)).flat());
    const full = codes(learner.observe([...twice('h4.example'), ...twice('h5.example')]));
    await learner.save();
    expect([Object.keys(readState(file).pinsets.any!).length, full]).toEqual([4, ['learn.full']]);
    expect(readFileSync(file, 'utf8')).not.toContain('h4.example');
  });

  it('names that clients make up displace each other, not what is seen again, which is said once', () => {
    const loaded = settings(9, anyone());
    const learner = learnerOf(loaded);
    learner.refine(loaded);
    learner.observe([seen(HOST, ['leaf']), seen(HOST, ['leaf'])]);
    const said = Array.from({ length: 50 }, (_, i) => codes(learner.observe([seen(`x${i}.example`, ['leaf'])])));
    expect(said.flat().filter((code) => code === 'learn.full')).toHaveLength(1);
    expect([...learner.hosts()].map(([, host]) => host)).toEqual([
      AT,
      'x47.example:443',
      'x48.example:443',
      'x49.example:443',
    ]);
  });
});
