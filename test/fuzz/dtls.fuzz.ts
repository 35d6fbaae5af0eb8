import fc from 'fast-check';

import { datagramMoves, playDatagrams } from '../support/dtls-attack.ts';
import { fuzz } from '../support/fuzz.ts';

fuzz({
  'datagrams of DTLS give no client a forged Certificate': fc.property(datagramMoves, (moves) => playDatagrams(moves)),
});
