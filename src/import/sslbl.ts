/** The SSL blacklist of abuse.ch as CSV (`Listingdate,SHA1,Listingreason`): a list that stays where it is, and denies. */
import { isAbsolute, resolve } from 'node:path';

import { Findings, type ImportFile, placeOf } from './found.ts';

export function readSslbl(file: ImportFile): Findings {
  const found = new Findings();
  const rows = file.text.split(/\r\n|\n|\r/).map((text, index) => ({ text, line: index + 1 }));
  const digests: { line: number; digest: string; reason: string }[] = [];
  let isWhole = true;
  for (const { text, line } of rows) {
    if (text.trim() === '' || text.startsWith('#')) continue;
    const [, digest = '', reason = ''] = text.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
    // A heading that is no comment would be a mistake to whoever reads the file later.
    if (!/^[0-9a-f]{40}$/i.test(digest)) isWhole = false;
    if (/^[0-9a-f]{40}$/i.test(digest)) digests.push({ line, digest: digest.toLowerCase(), reason });
    else if (line > 1 || !/^"?listingdate/i.test(text)) {
      found.note(file, line, 'the second column is not the SHA-1 of a certificate');
    }
  }
  if (digests.length === 0) return found;
  const canStay = isWhole && file.name !== '-' && !digests.some(({ digest }) => file.text.includes(`"${digest}"`));
  found.lists.push({
    id: 'sslbl',
    source: canStay
      ? { file: isAbsolute(file.name) ? file.name : resolve(file.name), format: 'sslbl-csv', maxAge: '7d' }
      : { entries: digests.map(({ digest }) => digest) },
    comments: [
      canStay
        ? `certificates: ${digests.length}; fetch the file anew now and then, and reload`
        : `${placeOf(file, digests[0]!.line)}: as it was then, certificates: ${digests.length}`,
    ],
  });
  found.pinsets.push({
    name: 'sslbl',
    hosts: [],
    pins: [],
    deny: [{ pin: '@sslbl' }],
    comments: ['no server may show one of these'],
  });
  return found;
}
