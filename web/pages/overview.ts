/** How the engine stands: protection, decisions over time, pins and when they end, queues. */
import type { EngineStatus, Overview, Series } from '../../src/web/api.ts';
import type { Context, Page } from '../context.ts';
import { badge, code, element, renew, table, terms } from '../dom.ts';
import { timeElement } from '../time-element.ts';
import { span } from '../times.ts';
import { Lists } from './lists.ts';
import { pinsetsOf, expiriesOf } from './pinsets.ts';
import { Plots } from './plots.ts';

export function overviewPage({ server, known }: Context): Page {
  const plots = new Plots();
  const facts = element('div', {});
  const root = element(
    'section',
    {},
    element('h1', {}, 'Overview'),
    facts,
    element('h2', {}, 'By the minute'),
    plots.root,
  );
  const rest = element('div', {});
  const lists = new Lists(server);
  root.append(rest, section('Lists', lists.root));
  let timer = 0;
  const load = async (): Promise<void> => {
    try {
      const [overview, series] = await Promise.all([
        server.get<Overview>('/api/overview'),
        server.get<Series>('/api/series'),
      ]);
      known.overview = overview;
      plots.show(series);
      renew(rest, restOf(overview));
      lists.show(overview.status?.configuration.lists ?? []);
      showFacts();
    } catch {
      // What is known stays; the sentence on top says that nothing answers.
    }
    timer = window.setTimeout(() => void load(), EVERY_MS);
  };
  const showFacts = (): void => renew(facts, factsOf(known));
  showFacts();
  void load();
  const close = (): void => {
    clearTimeout(timer);
    plots.close();
  };
  return { title: 'Overview', root, update: showFacts, close };
}

function factsOf({ status, health, engine, overview }: Context['known']): HTMLElement[] {
  if (status === null) {
    return [
      element(
        'p',
        { class: 'empty' },
        `No engine has answered yet. ${engine?.error ?? ''} Start one with tlspin run, and this page fills by itself.`,
      ),
    ];
  }
  const { configuration, subscribers, log } = status;
  const modes = Object.entries(configuration.modes)
    .map(([mode, count]) => `${count} ${mode}`)
    .join(', ');
  const facts = terms([
    [
      'Protection',
      badge(
        health?.state ?? 'unknown',
        health?.state === 'protected' ? 'good' : health?.state === 'degraded' ? 'warn' : 'bad',
      ),
    ],
    ['Engine', `tlspin ${status.version}, running for ${span(status.uptime)}`],
    ['Configuration', element('span', {}, code(configuration.file), ', since ', timeElement(configuration.since))],
    ['Pinsets', `${configuration.pinsets} (${modes}), ${configuration.pins} pins`],
    ['Connections', `${status.flows} followed, ${status.held} held`],
    ['Where tlspin fails', status.fail_open ? 'connections pass' : 'connections are denied'],
    ['Log', `${log.written} written, ${log.dropped} lost`],
    ['Followers', subscribers && `${subscribers.now} now, ${subscribers.dropped} let go for being too slow`],
    ['Console', `${engine?.missed ?? 0} events missed`],
    ['Remembers', overview === null ? null : element('span', {}, 'since ', timeElement(overview.since))],
  ]);
  return [facts];
}

function restOf(overview: Overview): HTMLElement[] {
  const { verdicts, pinsets, status } = overview;
  const parts = [
    section(
      'Verdicts',
      verdicts.length === 0
        ? element('p', { class: 'empty' }, 'None yet.')
        : table(
            'Verdicts',
            ['Action', 'Reason', 'Count'],
            verdicts.map(({ action, reason, count }) => [
              badge(action, action === 'accept' ? 'good' : 'bad'),
              code(reason),
              String(count),
            ]),
          ),
    ),
  ];
  if (status?.probes) parts.push(section('Probes', probesOf(status.probes)));
  parts.push(section('What ends next', expiriesOf(pinsets)));
  parts.push(section('Pinsets', pinsetsOf(pinsets)));
  if (status !== null)
    parts.push(
      section(
        'Queues',
        table(
          'Queues',
          ['Queue', 'Flows', 'Held', 'Octets kept', 'Waiting in the kernel', 'Lost by the kernel'],
          status.queues.map(({ queue, flows, held, buffered, kernel }) => [
            String(queue),
            String(flows),
            String(held),
            String(buffered),
            kernel === null ? '–' : String(kernel.waiting),
            kernel === null ? '–' : String(kernel.queue_dropped + kernel.user_dropped),
          ]),
        ),
      ),
    );
  return parts;
}

function probesOf({ asked, cached, joined, connections, failed, failures }: Probes): HTMLElement {
  const why = Object.entries(failures)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${count}`);
  return terms([
    ['Asked for', `${asked}, ${cached + joined} of them answered from memory`],
    ['Connections', String(connections)],
    ['Without an answer', failed === 0 ? 'none' : `${failed}: ${why.join(', ')}`],
  ]);
}

type Probes = NonNullable<EngineStatus['probes']>;

function section(title: string, content: HTMLElement): HTMLElement {
  return element('section', {}, element('h2', {}, title), content);
}

const EVERY_MS = 15_000;
