/** The examiner's thread by hand: keeps what it is asked, and answers when it is told to. */
import { EventEmitter } from 'node:events';

import type { ExamineRequest } from '../../src/judge/ports.ts';
import type { ExaminerThread } from '../../src/runtime/examining/examiner.ts';
import type { DatedFacts } from '../../src/x509/examine.ts';

export class FakeExaminer extends EventEmitter implements ExaminerThread {
  readonly requests: ExamineRequest[] = [];
  isTerminated = false;

  postMessage(request: ExamineRequest): void {
    this.requests.push(request);
  }

  /** To the last request. */
  answer(dated: DatedFacts, cost = 1): void {
    this.emit('message', { dated, cost });
  }

  async terminate(): Promise<void> {
    this.isTerminated = true;
    this.emit('exit');
  }
}
