/**
 * Firefox in the game: it visits one server after the other, or connects to each and asks for nothing. It is another one, with
 * another profile, for each round of servers, so that nothing is resumed. Argument: JSON.
 */
import { openFirefox } from '../support/peers/firefox.mjs';

const { times, ports, host, servername, ca, leaves } = JSON.parse(process.argv[2]);

for (let at = 0; at < times;) {
  const firefox = await openFirefox({ ca, forceResolve: host });
  for (const port of ports) {
    if (at++ >= times) break;
    const url = `https://${servername}:${port}/`;
    await firefox.visit(leaves ? `data:text/html,<link rel="preconnect" href="${url}">` : url);
    if (leaves) await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await firefox.close();
}
