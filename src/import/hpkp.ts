/**
 * Public-Key-Pins headers (RFC 7469), wherever they are written down: the headers of an answer, as curl -i shows them,
 * or the configuration of a web server. The host is the last one that was named before.
 */
import { parsePin } from '../pins/document/pin-string.ts';
import { Findings, type ImportFile, type ImportedPin, placeOf } from './found.ts';

export function readHpkp(file: ImportFile): Findings {
  const found = new Findings();
  let host: string | undefined;
  for (const [index, line] of file.text.split(/\r\n|\n|\r/).entries()) {
    host = hostOf(line) ?? host;
    const [, reportOnly, value] = /public-key-pins(-report-only)?["']?\s*[:=,]?\s*(.*)$/i.exec(line) ?? [];
    if (value === undefined || !/pin-|max-age/i.test(value)) continue;
    readHeader(value, reportOnly !== undefined, host, file, index + 1, found);
  }
  return found;
}

function readHeader(
  value: string,
  isReportOnly: boolean,
  host: string | undefined,
  file: ImportFile,
  line: number,
  found: Findings,
): void {
  const pins: ImportedPin[] = [];
  const comments: string[] = [];
  let withSubdomains = false;
  for (const directive of value.replaceAll('\\"', '"').split(';')) {
    const [, name = '', text = ''] = /^["'\s]*([\w-]+)\s*(?:=\s*"?([^"']*)"?)?/.exec(directive) ?? [];
    switch (name.toLowerCase()) {
      case '':
        break;
      case 'pin-sha256': {
        const parsed = parsePin(`pin-sha256="${text}"`);
        if ('error' in parsed) found.note(file, line, `pin-sha256="${text}": ${parsed.error}`);
        else pins.push({ pin: `sha256//${text}` });
        break;
      }
      case 'includesubdomains':
        withSubdomains = true;
        break;
      case 'max-age':
        // RFC 7469 §2.3.1: it takes pins away.
        if (Number(text) === 0) return found.note(file, line, 'max-age=0 takes pins away: nothing is taken over of it');
        comments.push(`max-age=${text} counts from each visit: "expires" with a date would be its like`);
        break;
      case 'report-uri':
        comments.push(`report-uri ${text} is not taken over: the log has every decision`);
        break;
      case 'always':
        break;
      default:
        found.note(file, line, `the directive "${name}" is not known, and was not taken over`);
    }
  }
  if (pins.length === 0) return found.note(file, line, 'this header has no pin-sha256');
  found.pinsets.push({
    name: host ?? 'hpkp',
    hosts: host === undefined ? [] : [withSubdomains ? `**.${host}` : host],
    pins,
    mode: isReportOnly ? 'report-only' : undefined,
    comments: [
      placeOf(file, line),
      ...(host === undefined && withSubdomains ? ['includeSubDomains: write "**." before the host'] : []),
      ...comments,
    ],
  });
}

/** A request's Host, or what nginx and Apache call the server. */
function hostOf(line: string): string | undefined {
  const [, name] =
    /^[>*\s]*host:\s*([\w.-]+)/i.exec(line) ??
    /^[>*\s]*:authority:?\s+([\w.-]+)/i.exec(line) ??
    /^\s*server_?name\s+([\w.-]+)/i.exec(line) ??
    /^.*?https:\/\/([\w.-]+).*$/i.exec(/report-uri/i.test(line) ? '' : line) ??
    [];
  return name === undefined || name === '_' ? undefined : name.toLowerCase();
}
