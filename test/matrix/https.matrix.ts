/** Every client at every server; what is seen is docs/matrix.md. `npm run matrix` starts it. */
import { CLIENTS } from './clients.ts';
import { GRIDS } from './page.ts';
import { itPlays } from './playing.ts';
import { SERVERS } from './servers.ts';

itPlays({ clients: CLIENTS, servers: SERVERS }, GRIDS, 'name');
