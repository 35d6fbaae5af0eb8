/** Flows as the control socket shows them: those that every queue knows, and the decisions of late. Reads only. */
import type { VerdictEvent } from '../../judge/events.ts';
import type { FlowFilter, FlowView } from '../../connection/listing.ts';
import type { Phase } from '../../connection/tracked.ts';
import { addressText } from '../../report/eve.ts';
import type { Daemon } from '../daemon.ts';
import type { RecentVerdict, RecentVerdicts } from './recent-verdicts.ts';
import type { RequestReader } from './requests.ts';
import type { Overview } from './status.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A page of the flows that are not settled, in the order of their numbers; `next` is where the page after it begins. */
export async function flowsAnswer(daemon: Daemon, request: RequestReader): Promise<Fields> {
  const limit = request.integer('limit', 1, MOST) ?? USUAL;
  const after = request.flow('after') ?? 0;
  const filter = { ...filterOf(request), isHeld: request.flag('held') };
  request.end();
  const pages = await daemon.list({ after, limit, filter, detailed: false });
  const found = [...pages].flatMap(([queue, { flows }]) => flows.map((flow) => ({ queue, flow })));
  found.sort((a, b) => a.flow.id - b.flow.id);
  const shown = found.slice(0, limit);
  const isMore = found.length > shown.length || [...pages.values()].some(({ more }) => more);
  const { queues } = daemon.status();
  const silent = queues.flatMap(({ queue }) => (pages.has(queue) ? [] : [queue]));
  return {
    flows: shown.map(({ queue, flow }) => flowFields(queue, flow)),
    all: queues.reduce((sum, { counts }) => sum + (counts?.flows ?? 0), 0),
    next: isMore ? (shown.at(-1)?.flow.id ?? null) : null,
    ...(silent.length === 0 ? {} : { silent }),
  };
}

/**
 * The decisions of late that fit, the latest first, as the log has them. `last` is the number of the latest of all:
 * what comes `after` it has not been told. `missed`: how many between are not known any more.
 */
export function verdictsAnswer(host: Pick<Overview, 'verdicts' | 'log'>, request: RequestReader): Fields {
  const wanted = wantedVerdicts(request);
  request.end();
  const { found, ...rest } = verdictsOfLate(host.verdicts, wanted);
  return { verdicts: found.map(({ queue, event }) => ({ queue, ...host.log.recordOf(event) })), ...rest };
}

export function verdictsOfLate(verdicts: RecentVerdicts, { limit, after, fits }: WantedVerdicts) {
  const found: RecentVerdict[] = [];
  let oldest = verdicts.last + 1;
  for (const verdict of verdicts.latest()) {
    oldest = verdict.number;
    if (found.length >= limit || verdict.number <= after) break;
    if (fits(verdict)) found.push(verdict);
  }
  const missed = after === 0 ? 0 : Math.max(0, oldest - after - 1);
  const others = found.length > 0 || after > 0 ? {} : { others: whatThereIs(verdicts) };
  return { found, last: verdicts.last, missed, ...others };
}

export interface WantedVerdicts {
  readonly limit: number;
  /** A number; 0: all that are known. */
  readonly after: number;
  readonly fits: (verdict: RecentVerdict) => boolean;
}

/** `isContinued`: whether numbers are of this process. */
export function wantedVerdicts(request: RequestReader, isContinued = true): WantedVerdicts {
  const limit = request.integer('limit', 1, MOST_VERDICTS) ?? USUAL;
  const after = request.integer('after', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const action = request.choice('action', ['accept', 'drop', 'reset', 'tls-alert', 'reject']);
  const isDenied = request.flag('denied');
  const since = request.instant('since') ?? -Infinity;
  const filter = filterOf(request);
  const fits = (verdict: RecentVerdict): boolean => {
    const { event } = verdict;
    const isWanted = (action === undefined || event.action === action) && event.time >= since * 1000;
    return isWanted && (!isDenied || isDenial(event)) && fitsVerdict(verdict, filter);
  };
  return { limit, after: isContinued ? after : 0, fits };
}

/** For who has asked for what there is nothing of: whom the decisions of late are about. */
function whatThereIs(verdicts: RecentVerdicts): Fields {
  const [names, pinsets] = [new Set<string>(), new Set<string>()];
  for (const { event } of verdicts.latest()) {
    if (names.size < FEW) names.add(event.tls?.sni ?? addressText(event.server.address));
    if (event.pinset !== null && pinsets.size < FEW) pinsets.add(event.pinset);
  }
  return { names: [...names], pinsets: [...pinsets] };
}

/** What was not let pass, or would not have been where nothing is enforced. */
function isDenial({ action, would }: VerdictEvent): boolean {
  return action !== 'accept' || (would !== null && would !== 'accept');
}

export function filterOf(request: RequestReader): FlowFilter {
  return {
    phase: request.choice('phase', PHASES),
    name: request.text('name')?.toLowerCase(),
    address: request.address('address'),
    port: request.integer('port', 1, 65_535),
    pinset: request.text('pinset'),
  };
}

function flowFields(queue: number, flow: FlowView): Fields {
  return {
    flow_id: flow.id,
    queue,
    src_ip: addressText(flow.client.address),
    src_port: flow.client.port,
    dest_ip: addressText(flow.server.address),
    dest_port: flow.server.port,
    phase: flow.phase,
    sni: flow.name,
    pinsets: flow.pinsets,
    action: flow.action,
    reason: flow.reason,
    mark: flow.mark,
    waits: flow.waits,
    held: flow.heldPackets,
    buffered: flow.bufferedBytes,
    age_ms: flow.age,
    idle_ms: flow.idle,
  };
}

function fitsVerdict({ event }: RecentVerdict, { name, address, port, pinset }: FlowFilter): boolean {
  const ends = [event.client, event.server];
  const sni = event.tls?.sni?.toLowerCase();
  return (
    (port === undefined || ends.some((end) => end.port === port)) &&
    (address === undefined || ends.some((end) => Buffer.compare(end.address, address) === 0)) &&
    (name === undefined || sni === name || (name.startsWith('*.') && (sni?.endsWith(name.slice(1)) ?? false))) &&
    (pinset === undefined || isOf(event, pinset))
  );
}

function isOf({ pinset, others }: VerdictEvent, name: string): boolean {
  return pinset === name || others.some((other) => other.pinset === name);
}

const PHASES: readonly Phase[] = ['opening', 'inspecting', 'accepting', 'accepted', 'denying', 'denied'];
const USUAL = 100;
const MOST = 1_000;
const FEW = 10;
/** As many as are kept. */
const MOST_VERDICTS = 2_000;
