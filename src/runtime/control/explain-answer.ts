import type { RequestReader } from './requests.ts';
import type { Overview } from './status.ts';

export async function explainAnswer(
  _host: Overview,
  request: RequestReader,
): Promise<Readonly<Record<string, unknown>>> {
  request.end();
  throw new Error('not yet');
}
