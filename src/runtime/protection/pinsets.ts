/**
 * What the configuration in force takes away from protection by itself, at its dates or as it was written; and backup pins
 * that servers are accepted by. To look each second, since nothing else happens when a date passes.
 */
import type { FlowEvent } from '../../judge/events.ts';
import { isUsable } from '../../pins/match/usable.ts';
import type { CompiledPinset, Policy } from '../../pins/policy.ts';
import type { Protection } from './protection.ts';

export interface PinsetsOptions {
  readonly protection: Protection;
  readonly policy: () => Policy;
}

export class Pinsets {
  readonly #options: PinsetsOptions;
  /** Of the policy that was in force the last time. */
  #known: { readonly policy: Policy; readonly byName: ReadonlyMap<string, CompiledPinset> } | undefined;

  constructor(options: PinsetsOptions) {
    this.#options = options;
  }

  /** Also to be called when a configuration has come into force. */
  look(): void {
    const { protection, policy } = this.#options;
    const { pinsets } = policy();
    const now = Date.now();
    const expired = pinsets.filter(({ expires, mode }) => expires !== null && expires <= now && mode === 'enforce');
    const isOpen = ({ afterExpiry }: CompiledPinset) => afterExpiry === 'report-only' || afterExpiry === 'accept';
    protection.hold('pinset.expired', described(expired.filter(isOpen), describeExpired));
    const denying = expired.filter(({ afterExpiry }) => afterExpiry === 'deny');
    protection.hold('pinset.expired-denies', described(denying, describeExpired));
    const pinless = pinsets.filter(
      (pinset) =>
        pinset.mode === 'enforce' &&
        !expired.includes(pinset) &&
        pinset.pins.length > 0 &&
        !pinset.pins.some((pin) => isUsable(pin, now)),
    );
    protection.hold(
      'pinset.no-pins',
      described(pinless, ({ name }) => `no pin of the pinset ${name} is within its dates`),
    );
    const open = pinsets.filter(({ mode, then }) => mode !== 'enforce' && then === undefined);
    const detail = `${few(open.map(({ name, mode }) => `${name} (${mode})`))}: what it shows passes`;
    protection.hold('pinset.report-only', new Map(open.length === 0 ? [] : [['', detail]]));
    for (const { code, subject } of protection.conditions) {
      const isBackup = pinsets.some(({ name, pins }) => name === subject && pins.some(({ role }) => role === 'backup'));
      if (code === 'pin.backup' && !isBackup) protection.end(code, subject);
    }
  }

  observe(events: readonly FlowEvent[]): void {
    for (const event of events) {
      if (event.kind !== 'verdict' || event.action !== 'accept' || event.matched === null) continue;
      const { pinset: name, matched } = event;
      const pin = name === null ? undefined : this.#pinset(name)?.pins.find(({ canonical }) => canonical === matched);
      if (pin?.role !== 'backup') continue;
      const detail = `the pinset ${name} was satisfied by its backup pin ${matched}`;
      this.#options.protection.notice('pin.backup', name!, detail, BACKUP_SPELL_MS);
    }
  }

  /** Verdicts come thousands a second, and there may be as many pinsets. */
  #pinset(name: string): CompiledPinset | undefined {
    const policy = this.#options.policy();
    if (this.#known?.policy !== policy) {
      this.#known = { policy, byName: new Map(policy.pinsets.map((pinset) => [pinset.name, pinset])) };
    }
    return this.#known.byName.get(name);
  }
}

function described(pinsets: readonly CompiledPinset[], describe: (pinset: CompiledPinset) => string) {
  return new Map(pinsets.map((pinset) => [pinset.name, describe(pinset)]));
}

function describeExpired({ name, expires, afterExpiry }: CompiledPinset): string {
  return `the pinset ${name} expired on ${new Date(expires!).toISOString()}; afterExpiry is ${afterExpiry}`;
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).join(', ');
  return names.length <= SHOWN ? shown : `${shown} and ${names.length - SHOWN} more`;
}

const SHOWN = 5;
/** Servers of one name may change one after the other. */
const BACKUP_SPELL_MS = 3_600_000;
