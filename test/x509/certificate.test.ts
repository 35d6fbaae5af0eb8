import { X509Certificate } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import fc from 'fast-check';
import { RelativeDistinguishedNames, Time } from 'pkijs';
import { describeCertificate, subjectAltNamesOf } from '../../src/x509/certificate.ts';
import { DerReader } from '../../src/x509/der.ts';
import { readName } from '../../src/x509/distinguished-name.ts';
import { outlineOf } from '../../src/x509/outline.ts';
import { validityOf } from '../../src/x509/validity.ts';
import { certificate } from '../support/certificates.ts';
import { decodeAs } from '../support/pkijs-oracle.ts';

describe('describeCertificate', () => {
  it('names subject, issuer, serial number and dates', () => {
    const der = certificate('leaf');
    expect(describeCertificate(der)).toEqual({
      subject: 'O=Bank, CN=www.bank.example',
      issuer: 'C=XX, O=Test Trust, CN=Test Intermediate',
      commonName: 'www.bank.example',
      serial: new X509Certificate(der).serialNumber.replace(/..(?=.)/g, '$&:'),
      notBefore: '2020-01-01T00:00:00',
      notAfter: '2099-12-31T23:59:59',
    });
  });

  it('a NUL is shown and ends nothing', () => {
    const described = describeCertificate(certificate('leaf-nul'));
    expect(described.subject).toBe('CN=www.bank.example\\00.evil.example');
    expect(described.commonName).toBe('www.bank.example\0.evil.example');
  });

  it('keeps what is not ASCII and escapes what would be ambiguous', () => {
    expect(describeCertificate(certificate('leaf-umlaut')).subject).toBe(
      'O=Bücher\\, \\"Söhne\\" \\+ Co., CN=日本.example',
    );
  });

  it('an empty subject is empty, not missing', () => {
    expect(describeCertificate(certificate('leaf-empty'))).toMatchObject({ subject: '', commonName: null });
  });

  it('knows dates before 1970', () => {
    expect(describeCertificate(certificate('leaf-1960')).notBefore).toBe('1960-01-02T03:04:05');
  });

  it('shows a negative serial number as it is encoded', () => {
    expect(describeCertificate(certificate('leaf-negative-serial')).serial).toBe('ED:CB:AA');
  });

  it('reads version 1', () => {
    expect(describeCertificate(certificate('leaf-v1'))).toMatchObject({ serial: '07' });
  });

  it('says nothing of what is no certificate', () => {
    const nothing = { subject: null, issuer: null, serial: null, notBefore: null, notAfter: null };
    expect(describeCertificate(new Uint8Array())).toMatchObject(nothing);
    expect(describeCertificate(certificate('leaf').subarray(0, 100))).toMatchObject(nothing);
  });

  it('never throws, whatever octets are changed', () => {
    const der = certificate('leaf-umlaut');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        (changes) => {
          const changed = new Uint8Array(der);
          for (const [at, value] of changes) changed[at] = value;
          describeCertificate(changed);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('readName', () => {
  const element = (tag: string, ...contents: string[]) => {
    const content = contents.join('');
    return `${tag}${(content.length / 2).toString(16).padStart(2, '0')}${content}`;
  };
  const attribute = (tag: string, value: string, oid = '550403') =>
    element('30', element('06', oid), element(tag, value));
  const name = (...sets: string[]) => {
    return readName(new Uint8Array(Buffer.from(element('30', ...sets), 'hex')))?.text ?? null;
  };

  it.each([
    ['PrintableString', '13', '41', 'CN=A'],
    ['TeletexString, read as Latin-1', '14', 'fc', 'CN=ü'],
    ['BMPString', '1e', '00fc65e5', 'CN=ü日'],
    ['UniversalString', '1c', '0001f600', 'CN=😀'],
    ['UniversalString beyond Unicode', '1c', '00110000', 'CN=\uFFFD'],
    ['UTF-8 that is none, read as Latin-1', '0c', 'ff41', 'CN=ÿA'],
    ['a type that is no string', '02', '05', 'CN=#020105'],
    ['a leading blank and a trailing one', '0c', '204120', 'CN=\\ A\\ '],
    ['a leading #', '0c', '2341', 'CN=\\#A'],
    ['a line end', '0c', '410a42', 'CN=A\\0AB'],
    ['a mark that turns the direction', '0c', 'e280ae41', 'CN=\\E2\\80\\AEA'],
  ])('%s', (_what, tag, value, text) => {
    expect(name(element('31', attribute(tag, value)))).toBe(text);
  });

  it('an attribute without a short name is shown by its identifier', () => {
    expect(name(element('31', attribute('0c', '41', '2a0304')))).toBe('1.2.3.4=A');
  });

  it('attributes that stand together are shown one after the other', () => {
    const set = element('31', attribute('0c', '41'), attribute('0c', '42', '55040a'));
    expect(name(set, element('31', attribute('0c', '43')))).toBe('CN=A, O=B, CN=C');
  });

  it('a BMPString of odd length is none', () => {
    expect(name(element('31', attribute('1e', '00')))).toBeNull();
  });

  it('a longer name than anybody has is not read', () => {
    const long = (length: number) =>
      Buffer.from(`30820000${'310a3008060355040313014131'.slice(0, 24).repeat(length)}`, 'hex');
    const of = (count: number) => {
      const der = long(count);
      der.writeUInt16BE(der.length - 4, 2);
      return readName(der)?.text.length;
    };
    expect(of(170)).toBe('CN=A, '.length * 170 - 2);
    expect(of(171)).toBeUndefined();
  });

  it('each of its elements is looked at once', () => {
    const attributes = (count: number) => Array.from({ length: count }, () => attribute('13', '41'));
    const next = vi.spyOn(DerReader.prototype, 'next');
    for (const sets of [attributes(9).map((one) => element('31', one)), [element('31', ...attributes(9))]]) {
      next.mockClear();
      expect(name(...sets)).toBe(Array(9).fill('CN=A').join(', '));
      expect(next.mock.calls.length).toBe(1 + sets.length + 3 * 9);
    }
    next.mockRestore();
  });

  it('is read where pkijs reads it, and writes it again as it was', () => {
    const value = fc.tuple(fc.constantFrom('0c', '13', '14', '16', '02'), fc.constantFrom('41', '4142', '2041', '05'));
    const sets = fc.array(fc.array(value, { minLength: 1, maxLength: 2 }), { maxLength: 3 });
    fc.assert(
      fc.property(sets, fc.option(fc.tuple(fc.nat(), fc.nat(255))), (names, change) => {
        const hex = element(
          '30',
          ...names.map((set) => element('31', ...set.map(([tag, text]) => attribute(tag, text)))),
        );
        const der = new Uint8Array(Buffer.from(hex, 'hex'));
        if (change !== null) der[change[0] % der.length] = change[1];
        const theirs = decodeAs(der, RelativeDistinguishedNames);
        if (theirs !== null && change === null) expect(readName(der)).not.toBeNull();
        if (readName(der) !== null && change === null) expect(theirs).not.toBeNull();
      }),
      { numRuns: 1000 },
    );
  });
});

describe('validityOf', () => {
  /** A certificate's outline, with these octets in place of its dates. */
  function validity(...times: (readonly [tag: number, text: string])[]) {
    const content = times.flatMap(([tag, text]) => [tag, text.length, ...Buffer.from(text)]);
    const outline = outlineOf(certificate('leaf'))!;
    return validityOf(Uint8Array.from(content), {
      ...outline,
      validity: { tag: 0x30, start: 0, content: 0, end: content.length },
    });
  }
  const time = (tag: number, text: string) => validity([tag, text], [0x17, '300101000000Z']).notBefore;

  it.each([
    [0x17, '491231235959Z', Date.UTC(2049, 11, 31, 23, 59, 59)],
    [0x17, '500101000000Z', Date.UTC(1950, 0, 1)],
    [0x18, '20500101000000Z', Date.UTC(2050, 0, 1)],
    [0x18, '19500101000000Z', Date.UTC(1950, 0, 1)],
    [0x18, '99991231235959Z', Date.UTC(9999, 11, 31, 23, 59, 59)],
  ])('%i %s', (tag, text, ms) => {
    expect(time(tag, text)).toBe(ms);
    expect(validity([0x17, '200101000000Z'], [tag, text]).notAfter).toBe(ms);
  });

  it.each([
    [0x17, '490230000000Z'],
    [0x17, '4912312359Z'],
    [0x17, '491231235959+0100'],
    [0x17, '491331000000Z'],
    [0x17, '491231240000Z'],
    [0x17, 'x491231235959Z'],
    [0x18, '00010101000000Z'],
    [0x18, '20500101000000.5Z'],
    [0x18, '20500101000000.0Z'],
    [0x18, '20500101000000+0000'],
    [0x18, '20500101000000'],
    [0x18, '2050010100Z'],
    [0x04, '491231235959Z'],
    [0x17, ''],
  ])('%i %s is no time', (tag, text) => {
    expect(time(tag, text)).toBeNaN();
  });

  it('reads what pkijs reads, and writes again as it was', () => {
    const digits = fc.stringMatching(/^(\d\d){5,8}Z?$/);
    const likely = fc
      .date({ min: new Date('1950-01-01'), max: new Date('9999-12-31T23:59:59'), noInvalidDate: true })
      .map((date) => `${date.toISOString().replace(/\D/g, '').slice(0, 14)}Z`);
    fc.assert(
      fc.property(fc.constantFrom(0x17, 0x18), fc.oneof(digits, likely), fc.boolean(), (tag, text, isShort) => {
        const shown = isShort ? text.slice(2) : text;
        const der = Uint8Array.from([tag, shown.length, ...Buffer.from(shown)]);
        const theirs = decodeAs(der, Time)?.value.getTime() ?? NaN;
        expect(time(tag, shown)).toBe(theirs % 1000 === 0 ? theirs : NaN);
      }),
      { numRuns: 2000 },
    );
  });

  it('one time, or three, are no validity', () => {
    const ok = [0x17, '300101000000Z'] as const;
    expect(validity(ok)).toEqual({ notBefore: NaN, notAfter: NaN });
    expect(validity(ok, ok, ok)).toEqual({ notBefore: NaN, notAfter: NaN });
  });
});

describe('subjectAltNamesOf', () => {
  it('has names and addresses in their order, letter case and NULs as they are', () => {
    expect(subjectAltNamesOf(certificate('leaf'))).toEqual(['www.bank.example', 'bank.example']);
    expect(subjectAltNamesOf(certificate('leaf-nul'))).toEqual(['www.bank.example\0.evil.example']);
    expect(subjectAltNamesOf(certificate('leaf-names'))).toEqual([
      '*.wild.example',
      'UPPER.example',
      '192.0.2.7',
      '2001:db8::7',
    ]);
  });

  it('is empty where there are none, and of what is no certificate', () => {
    expect(subjectAltNamesOf(certificate('leaf-v1'))).toEqual([]);
    expect(subjectAltNamesOf(new Uint8Array())).toEqual([]);
    expect(subjectAltNamesOf(certificate('leaf').subarray(0, 100))).toEqual([]);
  });
});
