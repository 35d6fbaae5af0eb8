/** The answer of `explain`: the flow found, among those that live and the decisions of late, and told of. */
import { isIP } from 'node:net';

import type { VerdictEvent } from '../../engine/events.ts';
import type { FlowFilter } from '../../engine/flow-listing.ts';
import { parseRange } from '../../pins/compile-match.ts';
import type { Policy } from '../../pins/policy.ts';
import { explainFlow } from '../explain.ts';
import type { RequestReader } from './requests.ts';
import type { Overview } from './status.ts';

interface Found {
  readonly flow: string;
  readonly event: VerdictEvent;
  readonly policy: Policy | undefined;
  /** Undefined for one that is settled. */
  readonly phase: string | undefined;
}

interface Reference extends FlowFilter {
  readonly queue: number | undefined;
}

/** The latest that fits; a flow that is not decided yet is told of as far as it has come. */
export async function explainAnswer(
  host: Overview,
  request: RequestReader,
): Promise<Readonly<Record<string, unknown>>> {
  const text = request.text('flow');
  request.end();
  const reference = referenceOf(text);
  if (reference === undefined) {
    throw new Error('"flow" must be a flow such as 0/1234, a flow_id of the log, or a client as ADDRESS:PORT');
  }
  const found = (await findLive(host, reference)) ?? findSettled(host, reference);
  if (found === undefined) {
    throw new Error(
      `there is no flow ${text}, and no decision of late; flows that no pinset is for are kept only with "log": { "unpinned": true }`,
    );
  }
  const { flow, event, phase } = found;
  const policy = found.policy ?? host.daemon.policy;
  return {
    flow,
    phase: phase ?? 'settled',
    decided: phase === undefined || event.reason !== 'incomplete' || event.action !== 'accept',
    // The configuration that decided is known only for a while.
    configuration_known: policy.hash === event.config,
    explanation: explainFlow(policy, event),
  };
}

async function findLive({ daemon }: Overview, reference: Reference): Promise<Found | undefined> {
  const { queue: wanted, ...filter } = reference;
  const pages = await daemon.list({ after: 0, limit: 1, filter, detailed: true });
  for (const [queue, { flows }] of pages) {
    const [view] = flows;
    if (view?.seen === undefined || (wanted !== undefined && wanted !== queue)) continue;
    return { flow: `${queue}/${view.id}`, event: view.seen, policy: daemon.policy, phase: view.phase };
  }
  return undefined;
}

function findSettled({ verdicts }: Overview, { queue: wanted, id, address, port }: Reference): Found | undefined {
  for (const { queue, event, policy } of verdicts.latest()) {
    const isFlow = id === undefined || (event.flowId === id && (wanted === undefined || wanted === queue));
    const isClient = address === undefined || Buffer.compare(address, event.client.address) === 0;
    const isPort = port === undefined || event.client.port === port;
    if (isFlow && isClient && isPort) return { flow: `${queue}/${event.flowId}`, event, policy, phase: undefined };
  }
  return undefined;
}

function referenceOf(text: string | undefined): Reference | undefined {
  const [, queue, id] = /^(?:(\d{1,5})\/)?(\d{1,15})$/.exec(text ?? '') ?? [];
  if (id !== undefined) return { queue: queue === undefined ? undefined : Number(queue), id: Number(id) };
  const [, address = '', port] = /^\[?(.+?)\]?:(\d{1,5})$/.exec(text ?? '') ?? [];
  const parsed = isIP(address) === 0 ? undefined : parseRange(address);
  if (parsed === undefined || !('value' in parsed)) return undefined;
  return { queue: undefined, address: parsed.value.address, port: Number(port) };
}
