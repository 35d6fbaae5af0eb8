/** Before the client has spoken nothing is selected, so nothing is asked, and nothing can be asked again. */
import type { State } from './state.ts';

export interface AwaitHello extends State {
  readonly awaits: 'hello';
}

export const AWAIT_HELLO: AwaitHello = {
  awaits: 'hello',
  waiting: false,
  deadline: Infinity,
  onDeadline: () => undefined,
  permits: () => false,
  reenter: () => undefined,
};
