/**
 * SIGHUP and SIGUSR1 of `tlspin run`, heard from its first moment on: by itself Node ends at the one and opens its debugger
 * at the other. What comes while there is nobody yet to answer it is kept. Loads nothing, so that it is there first.
 */
import inspector from 'node:inspector';

type Heard = 'SIGHUP' | 'SIGUSR1';

const kept = new Set<Heard>();
let answer: (signal: Heard) => void = (signal) => kept.add(signal);

export function hearSignals(): void {
  process.on('SIGHUP', () => answer('SIGHUP'));
  process.on('SIGUSR1', () => answer('SIGUSR1'));
}

/** What was kept is answered at once. */
export function answerSignals(listener: (signal: Heard) => void): void {
  answer = listener;
  for (const signal of kept) listener(signal);
  kept.clear();
}

/** A signal that came before it could be heard may have opened it. True where somebody has asked for it. */
export function closeDebugger(): boolean {
  const isAskedFor = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) =>
    text.includes('--inspect'),
  );
  if (inspector.url() !== undefined) inspector.close();
  return isAskedFor;
}
