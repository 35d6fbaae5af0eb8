/**
 * One document from a web server: all of it, within a time and a size, or a sentence that says why not. Follows no
 * redirection, and believes nothing of what comes. Loaded only where there is something to be fetched.
 */
import { request } from 'node:https';

export interface Fetching {
  /** PEM of who vouches for the server; null: whom Node trusts. */
  readonly ca: string | null;
  readonly mostOctets: number;
  readonly patienceMs: number;
}

export function fetchOctets(url: URL, { ca, mostOctets, patienceMs }: Fetching): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      asked.destroy();
      reject(new Error(`${url.href}: ${why}`));
    };
    const signal = AbortSignal.timeout(patienceMs);
    const asked = request(url, { ...(ca === null ? {} : { ca }), agent: false, signal }, (answer) => {
      if (answer.statusCode !== 200)
        return fail(`the answer is ${answer.statusCode} ${answer.statusMessage ?? ''}`.trimEnd());
      const parts: Buffer[] = [];
      let octets = 0;
      answer.on('data', (part: Buffer) => {
        octets += part.length;
        if (octets > mostOctets) fail(`the answer is longer than ${mostOctets} octets`);
        else parts.push(part);
      });
      answer.on('end', () => (answer.complete ? resolve(Buffer.concat(parts)) : fail('the answer ended too soon')));
      answer.on('error', (error) => fail(sentenceOf(error, patienceMs)));
    });
    asked.on('error', (error) => fail(sentenceOf(error, patienceMs)));
    asked.end();
  });
}

function sentenceOf(error: NodeJS.ErrnoException, patienceMs: number): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError')
    return `no whole answer within ${patienceMs / 1000} s`;
  return error.code === undefined || error.message.includes(error.code)
    ? error.message
    : `${error.message} (${error.code})`;
}
