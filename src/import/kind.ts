/** Which program's pins a file holds, told by what is in it, and who reads it. Knows no configuration. */
import { readAndroid } from './android.ts';
import { readChromium } from './chromium.ts';
import { Findings, type ImportFile } from './found.ts';
import { readHpkp } from './hpkp.ts';
import { readPinStrings } from './pin-strings.ts';
import { readSslbl } from './sslbl.ts';
import { readTlsa } from './tlsa.ts';
import { readXtSslpin } from './xt-sslpin.ts';

export const KINDS = ['xt-sslpin', 'hpkp', 'android', 'chromium', 'okhttp', 'curl', 'tlsa', 'sslbl'] as const;
export type Kind = (typeof KINDS)[number];

/** Undefined where nothing tells. */
export function kindOf({ text }: ImportFile): Kind | undefined {
  return SIGNS.find(([, sign]) => sign.test(text))?.[0];
}

/** Everything that files of one kind say; Chromium's belong together. Throws for what is not of its kind at all. */
export function readKind(kind: Kind, files: readonly ImportFile[]): Findings {
  if (kind === 'chromium') return readChromium(files);
  const found = new Findings();
  for (const file of files) {
    try {
      found.add(READERS[kind](file));
    } catch (error) {
      throw new Error(`${file.name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
  return found;
}

const READERS: Readonly<Record<Exclude<Kind, 'chromium'>, (file: ImportFile) => Findings>> = {
  'xt-sslpin': readXtSslpin,
  hpkp: readHpkp,
  android: readAndroid,
  okhttp: readPinStrings,
  curl: readPinStrings,
  tlsa: readTlsa,
  sslbl: readSslbl,
};

/** The first that fits; what is rarer in other kinds of file stands first. */
const SIGNS: readonly (readonly [Kind, RegExp])[] = [
  ['android', /<network-security-config\b/],
  [
    'chromium',
    /"static_spki_hashes"|^PinsListTimestamp$|^[A-Z]\w*\r?\n(sha(1|256)\/|-----BEGIN (CERTIFICATE|PUBLIC KEY))/m,
  ],
  ['xt-sslpin', /-m\s+sslpin\b|xt_sslpin\/|--fpl\b|--pubkey\s/],
  ['hpkp', /public-key-pins/i],
  ['tlsa', /\b(TLSA|TYPE52)\b\s+(\\#|[0-3]\s+[01]\s+[0-2])/i],
  ['sslbl', /^#.*SSL(BL| Blacklist)|^"?Listingdate|^"?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"?,"?[0-9a-f]{40}\b/im],
  ['curl', /pinnedpubkey/i],
  ['okhttp', /sha256\/\/?[A-Za-z0-9+/]{43}/],
  ['xt-sslpin', /^\s*([0-9a-f]{2}:?){19}[0-9a-f]{2}(\s|$)/im],
];
