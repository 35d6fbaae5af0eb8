/** The entry of the examiner's thread: one request in, one answer out. Loads certificate libraries and nothing else. */
import { parentPort } from 'node:worker_threads';

import type { ExamineRequest } from '../../judge/ports.ts';
import { Budget, costOf } from '../../x509/path/budget.ts';
import { examineDated } from '../../x509/examine.ts';
import { giveBackStart } from '../garbage.ts';
import type { Port } from '../queue/messages.ts';
import type { Examined } from './examiner.ts';

const port = parentPort!;
const out: Port<Examined> = port;

port.on('message', (request: ExamineRequest) => {
  const budget = new Budget();
  const dated = examineDated(request, budget);
  out.postMessage({ dated, cost: costOf(budget.spent) });
});

await giveBackStart();
