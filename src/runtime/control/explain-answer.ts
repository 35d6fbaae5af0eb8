/** The answer of `explain`: the flow found, among those that live and the decisions of late, and told of. */
import type { VerdictEvent } from '../../judge/events.ts';
import type { FlowFilter } from '../../connection/listing.ts';
import type { Policy } from '../../pins/policy.ts';
import { parseHostPort } from '../../report/endpoint.ts';
import { explain, type Extent } from '../explain/explanation.ts';
import { FLOW, type RequestReader } from './requests.ts';
import type { Overview } from './status.ts';

interface Found {
  readonly flow: number;
  readonly queue: number;
  readonly event: VerdictEvent;
  readonly policy: Policy | undefined;
  /** Undefined for one that is settled. */
  readonly phase: string | undefined;
}

/** The latest that fits; a flow that is not decided yet is told of as far as it has come. */
export async function explainAnswer(
  host: Overview,
  request: RequestReader,
): Promise<Readonly<Record<string, unknown>>> {
  const text = request.word('flow');
  request.end();
  const reference = referenceOf(text);
  if (reference === undefined) {
    throw new Error('"flow" must be the number of a flow (flow_id in the log), or a client as ADDRESS:PORT');
  }
  const found = (await findLive(host, reference)) ?? findSettled(host, reference);
  if (found === undefined) {
    throw new Error(
      `there is no flow ${text}, and no decision of late; flows that no pinset is for are kept only with "log": { "unpinned": true }`,
    );
  }
  const { flow, queue, event, phase } = found;
  const policy = found.policy ?? host.daemon.policy;
  return {
    flow_id: flow,
    queue,
    phase: phase ?? 'settled',
    // What lives and is denied for being incomplete has been told so; the others still may come to their decision.
    decided: phase === undefined || phase === 'denying' || event.reason !== 'incomplete',
    // The configuration that decided is known only for a while.
    configuration_known: policy.hash === event.config,
    explanation: explain(event, policy, EXTENT),
  };
}

async function findLive({ daemon }: Overview, filter: FlowFilter): Promise<Found | undefined> {
  const pages = await daemon.list({ after: 0, limit: 1, filter, detailed: true });
  for (const [queue, { flows }] of pages) {
    const [view] = flows;
    if (view?.seen === undefined) continue;
    return { flow: view.id, queue, event: view.seen, policy: daemon.policy, phase: view.phase };
  }
  return undefined;
}

function findSettled({ verdicts }: Overview, { id, address, port }: FlowFilter): Found | undefined {
  for (const { queue, event } of verdicts.latest()) {
    const isFlow = id === undefined || event.flowId === id;
    const isClient = address === undefined || Buffer.compare(address, event.client.address) === 0;
    const isPort = port === undefined || event.client.port === port;
    if (isFlow && isClient && isPort)
      return { flow: event.flowId, queue, event, policy: verdicts.policyOf(event), phase: undefined };
  }
  return undefined;
}

function referenceOf(text = ''): FlowFilter | undefined {
  const [, id] = FLOW.exec(text) ?? [];
  return id === undefined ? parseHostPort(text) : { id: Number(id) };
}

/** What an answer tells of at the most. */
const EXTENT: Extent = { pinsets: 50, pins: 200, rules: 50 };
