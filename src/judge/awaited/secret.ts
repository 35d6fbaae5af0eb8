/**
 * The certificate is encrypted, and the client logs its secrets. The client has to have the ServerHello to log one, so
 * nothing waits until a whole encrypted record is there, and `keylogWait` begins once the client has acknowledged the
 * ServerHello. A ServerHello that never arrives says nothing of the key log: its time is `holdTime`, and nothing else is
 * asked then.
 */
import type { HiddenCertificates } from '../hidden-certificates.ts';
import { overdue } from './shown.ts';
import type { Bench, Permissible, State } from './state.ts';

export class AwaitSecret implements State {
  readonly awaits = 'secret';
  readonly cases: HiddenCertificates;
  readonly #bench: Bench;
  #since: number;

  constructor(bench: Bench, cases: HiddenCertificates, since: number) {
    this.#bench = bench;
    this.cases = cases;
    this.#since = since;
  }

  get waiting(): boolean {
    return this.#bench.keylog.isSealed;
  }

  get deadline(): number {
    const { keylogWait, holdTime } = this.#bench.hearing.context.snapshot.policy.limits;
    return this.#since + (this.#bench.keylog.isTaken ? keylogWait : holdTime) * 1000;
  }

  /** Packets wait from now on. */
  onSealed(): void {
    this.#since = this.#bench.hearing.context.now();
  }

  /** The client has the ServerHello: from now on it is its turn. */
  onTaken(): void {
    const { keylog, hearing } = this.#bench;
    if (keylog.isTaken) return;
    keylog.isTaken = true;
    this.#since = hearing.context.now();
  }

  onDeadline(): void {
    if (!this.#bench.keylog.isTaken) return overdue(this.#bench.hearing);
    this.#bench.keylog.giveUp();
    this.#bench.awaitEvidence('tls13');
  }

  /** The client has to have the ServerHello; what is not whole, or was read with the secret, tells it nothing yet. */
  permits(point: Permissible): boolean {
    const { keylog } = this.#bench;
    if (point === 'sealed') return keylog.isSealed;
    if (point === 'unsealed') return keylog.isReading && keylog.lacksSecret && !keylog.isSealed;
    return point === 'encrypted-part' && keylog.isReading && !keylog.lacksSecret;
  }

  reenter(): void {
    this.#bench.awaitEvidence('tls13', this.#since);
  }
}
