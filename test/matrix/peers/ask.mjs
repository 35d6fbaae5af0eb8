/** Node's two clients, a connection for each request. Arguments: `https` or `fetch`, the URL. */
import { get } from 'node:https';

const [, , how, url] = process.argv;
for (let time = 0; time < 2; time++) console.log(await (how === 'fetch' ? fetched() : got()));

async function fetched() {
  const answer = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) });
  return answer.text();
}

function got() {
  return new Promise((resolve, reject) => {
    const request = get(url, { timeout: 10_000, headers: { connection: 'close' } }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text) => (body += text));
      answer.on('close', () => resolve(body));
    });
    request.on('error', reject);
  });
}
