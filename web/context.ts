/** What every page is given, and what a page is. */
import type { Events } from '../src/web/api.ts';
import type { Known } from './known.ts';
import type { Server } from './server.ts';

export interface Context {
  readonly server: Server;
  readonly known: Known;
  /** Goes to a page of this console. */
  readonly go: (path: string) => void;
  /** What is known has changed: all that is shown follows. */
  readonly changed: () => void;
}

export interface Page {
  readonly title: string;
  readonly root: HTMLElement;
  /** Something that it shows may have changed. */
  update?(): void;
  onVerdicts?(verdicts: Events['verdicts']): void;
  /** It is not shown any more. */
  close?(): void;
}
