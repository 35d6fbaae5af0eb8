/** The same inside of other protocols; what is seen is docs/matrix-starttls.md. `npm run matrix -- upgrades` starts it alone. */
import { LIST } from './page.ts';
import { itPlays } from './playing.ts';
import { UPGRADING_CLIENTS, UPGRADING_SERVERS } from './upgrades.ts';

itPlays({ clients: UPGRADING_CLIENTS, servers: UPGRADING_SERVERS }, LIST, 'address');
