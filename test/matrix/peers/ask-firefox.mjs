/** Firefox: two visits to a page; prints what it shows. Arguments: URL, file of authorities. */
import { openFirefox } from '../../support/peers/firefox.mjs';

const [url, ca] = process.argv.slice(2);
const firefox = await openFirefox({ ca });
for (let times = 0; times < 2; times++) console.log(await firefox.visit(url));
await firefox.close();
