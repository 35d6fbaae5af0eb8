/** What of a flow is in its record: what was seen of hellos and certificates, and what it says of DTLS. */
import { describe, expect, it } from 'vitest';

import { FlowFacts } from '../../src/judge/facts.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { parsedClientHello, parsedServerHello } from '../support/hellos.ts';

const [leaf, forged] = [certificate('leaf'), certificate('forged')];
const chain = (der: Uint8Array) => [presentCertificate(der)];
const facts = (...events: ((facts: FlowFacts) => void)[]) => {
  const made = new FlowFacts();
  for (const event of events) event(made);
  return made;
};
const client = (of: FlowFacts) => of.onClientHello(parsedClientHello({ name: 'a.example', alpns: ['h2'] }));
const server = (of: FlowFacts) => of.onServerHello(parsedServerHello({ suite: 0xc02f }));
const observed = (der: Uint8Array) => (of: FlowFacts) => of.onCertificate(chain(der));
const probed = (der: Uint8Array) => (of: FlowFacts) => of.onCertificate(chain(der), 'probed');

describe('a flow', () => {
  it.each([
    ['that has shown nothing', [], false],
    ['with a hello of the client', [client], true],
    ['with a hello of the server alone', [server], true],
    ['with certificates alone', [observed(leaf)], true],
  ])('%s: TLS %s', (_, events, isTls) => {
    const made = facts(...events);
    expect([made.isTls, made.summary() !== null]).toEqual([isTls, isTls]);
  });

  it('says what its hellos said', () => {
    expect(facts(client, server).summary()).toMatchObject({
      sni: 'a.example',
      version: 0x0303,
      cipherSuite: 0xc02f,
      clientAlpns: ['h2'],
      sawClientHello: true,
    });
    expect(facts(client).summary()!.ja4).toMatch(/^t12d/);
    expect(facts(server).summary()).toMatchObject({ sni: null, ja4: null, sawClientHello: false });
  });

  it('was resumed where its session was, or its server selects a key of before', () => {
    expect(facts(client, server).summary()!.sessionResumed).toBe(false);
    expect(facts(client, server, (of) => void (of.sessionResumed = true)).summary()!.sessionResumed).toBe(true);
    const selecting = (of: FlowFacts) => of.onServerHello({ ...parsedServerHello(), selectsPsk: true });
    expect(facts(client, selecting).summary()!.sessionResumed).toBe(true);
  });
});

describe('the certificates in the record', () => {
  it.each<[string, ((facts: FlowFacts) => void)[], Uint8Array, string]>([
    ['that go by', [observed(leaf)], leaf, 'observed'],
    ['that a probe was shown', [probed(forged)], forged, 'probed'],
    [
      'that go by count more than what a probe was shown ahead of them',
      [probed(forged), observed(leaf)],
      leaf,
      'observed',
    ],
    ['and than what it is shown behind them', [observed(leaf), probed(forged)], leaf, 'observed'],
    ['that go by first count', [observed(leaf), observed(forged)], leaf, 'observed'],
    ['that a probe was shown last count', [probed(leaf), probed(forged)], forged, 'probed'],
  ])('%s', (_, events, expected, evidence) => {
    const made = facts(...events);
    expect(made.summary()!.certificates).toEqual([expected]);
    expect([made.evidence, made.hasCertificates]).toEqual([evidence, true]);
  });

  it('are none where none were shown', () => {
    expect([facts(client).hasCertificates, facts(client).evidence]).toEqual([false, 'none']);
  });
});

describe('DTLS', () => {
  const spoken = (version: number, isPrestandard = false) =>
    facts(
      (of) => of.onClientHello(parsedClientHello({ version })),
      (of) => of.onServerHello(parsedServerHello({ version })),
      (of) => void (of.isPrestandard = isPrestandard),
    );

  it.each([
    [0x0302, 0xfeff, 'dd1'],
    [0x0303, 0xfefd, 'dd2'],
    [0x0301, 0x0301, 'd10'],
  ])('that is made of %i is said to be %i', (version, expected, ja4) => {
    expect(spoken(version).summary('dtls')!.version).toBe(expected);
    expect(spoken(version).summary('dtls')!.ja4!.startsWith(ja4)).toBe(true);
    expect(spoken(version).summary()!.version).toBe(version);
    expect(spoken(version).summary()!.ja4!.startsWith('t')).toBe(true);
  });

  it('of before the standard is said to be that', () => {
    expect(spoken(0x0302, true).summary('dtls')!.version).toBe(0x0100);
  });

  it('without a hello of the client has none to say anything of', () => {
    expect(facts(server).summary('dtls')).toMatchObject({ ja4: null, version: 0xfefd });
  });
});
