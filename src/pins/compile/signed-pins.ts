/** The section `pins`: from where, signed by whom, how often. */
import { parsePublicKey } from '../../minisign/keys.ts';
import { parseDuration } from '../document/dates.ts';
import type { ReferredFiles } from '../document/files.ts';
import type { Reporter } from '../document/message.ts';
import type { SignedPinsSource } from '../document/schema/signed-pins.ts';
import { elements } from '../document/elements.ts';
import type { Policy } from '../policy.ts';

export function compileSignedPins(
  source: Partial<SignedPinsSource> | undefined,
  files: ReferredFiles,
  report: Reporter,
): Pick<Policy, 'pins'> {
  // What was wrong in itself has been said.
  if (source?.url === undefined || source.file === undefined) return {};
  const url = addressOf(source.url);
  if (url === undefined) {
    report.error(['pins', 'url'], `"${source.url}" is no address such as "https://pins.example.org/office.json"`);
    return {};
  }
  const every = parseDuration(source.every ?? EVERY);
  if (every === undefined || every < 1_000) {
    report.error(['pins', 'every'], `"${source.every}" is not a duration such as "5m" or "1h"`);
  }
  const name =
    source.name ??
    url.pathname
      .split('/')
      .at(-1)!
      .replace(/\.json$/, '');
  if (!/^[\w.-]{1,100}$/.test(name)) {
    const where = source.name === undefined ? 'url' : 'name';
    report.error(
      ['pins', where],
      `"${name}" is no name of a signed document: give one of letters, digits, ., _ and - as "name"`,
    );
  }
  const trustedKeys = [...elements(source.trustedKeys)].flatMap(([index, line]) => {
    const key = parsePublicKey(line);
    if (!('error' in key)) return [key.line];
    report.error(['pins', 'trustedKeys', index], key.error);
    return [];
  });
  return {
    pins: {
      url: url.href,
      name,
      trustedKeys,
      file: files.path(source.file),
      every: every ?? 0,
      ca: caOf(source.ca, files, report),
    },
  };
}

function addressOf(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === '';
  return isPlain ? url : undefined;
}

function caOf(name: string | undefined, files: ReferredFiles, report: Reporter): string | null {
  if (name === undefined) return null;
  const content = files.load(name);
  if ('bytes' in content) return new TextDecoder().decode(content.bytes);
  report.error(['pins', 'ca'], content.error);
  return null;
}

const EVERY = '5m';
