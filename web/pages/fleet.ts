/** Gateways of a fleet: which runs which version, who refused one and why, and what was pushed. */
import type { FleetVersion, FleetView } from '../../src/web/api.ts';
import type { Context, Page } from '../context.ts';
import { badge, code, element, renew, table } from '../dom.ts';
import { counted, sentence } from '../sentences.ts';
import { timeElement } from '../time-element.ts';

export function fleetPage({ server }: Context): Page {
  const content = element('div', { 'aria-busy': 'true' });
  const root = element('section', {}, element('h1', {}, 'Fleet'), content);
  let timer = 0;
  const load = async (): Promise<void> => {
    try {
      renew(content, partsOf(await server.get<FleetView>('/api/fleet')));
    } catch (error) {
      const why = element('p', {}, sentence((error as Error).message));
      content.replaceChildren(element('div', { class: 'empty' }, element('h2', {}, 'The fleet does not answer'), why));
    }
    content.removeAttribute('aria-busy');
    timer = window.setTimeout(() => void load(), EVERY_MS);
  };
  void load();
  return { title: 'Fleet', root, close: () => clearTimeout(timer) };
}

function partsOf(view: FleetView): HTMLElement[] {
  const { gateways, history } = view;
  if (gateways.length === 0) {
    const how = 'A gateway appears here once it runs with the section "fleet" in its configuration.';
    return [
      element('div', { class: 'empty' }, element('h2', {}, 'No gateway has been heard of'), element('p', {}, how)),
    ];
  }
  return [
    element('p', { class: 'today' }, summaryOf(view)),
    gatewaysOf(view),
    ...gateways.flatMap((gateway) => refusalOf(gateway)),
    element('h2', {}, 'What was pushed'),
    history.length === 0
      ? element('p', { class: 'empty' }, 'Nothing yet: tlspin fleet push sends pinsets to all.')
      : historyOf(history),
  ];
}

function summaryOf({ name, latest, gateways }: FleetView): string {
  const there = gateways.filter(({ present }) => present).length;
  const known = `${counted(gateways.length, 'gateway', 'gateways')} in ${name}, ${there} of them running.`;
  if (latest === null) return `${known} No version is for all of them yet.`;
  const behind = gateways.filter(({ running }) => running?.digest !== latest.digest).length;
  const refused = gateways.filter((each) => each.refused?.version === latest.version).length;
  if (behind === 0) return `${known} All run version ${latest.version}.`;
  const why = refused === 0 ? '' : ` ${counted(refused, 'has', 'have')} refused it.`;
  return `${known} ${counted(behind, 'does', 'do')} not run version ${latest.version}, which is for all.${why}`;
}

function gatewaysOf({ gateways, latest }: FleetView): HTMLElement {
  const rows = gateways.map((gateway) => {
    const { running, heard, software, present } = gateway;
    return [
      gateway.gateway,
      stateOf(gateway, latest),
      running === null ? 'none' : `${running.version}${running.report_only ? ' (report-only)' : ''}`,
      running === null ? null : timeElement(running.since),
      element('span', {}, timeElement(heard), present ? '' : ' (silent since)'),
      software,
    ];
  });
  return table('Gateways', ['Gateway', 'State', 'Version', 'Since', 'Heard of', 'tlspin'], rows);
}

function stateOf(
  { running, refused, present }: FleetView['gateways'][number],
  latest: FleetVersion | null,
): HTMLElement {
  if (!present) return badge('silent', 'bad');
  if (refused !== null && refused.version === latest?.version) return badge('refused it', 'bad');
  if (latest === null || running?.digest === latest.digest) return badge('up to date', 'good');
  return badge(running !== null && running.version > latest.version ? 'ahead, as a canary' : 'behind', 'warn');
}

function refusalOf({ gateway, refused }: FleetView['gateways'][number]): HTMLElement[] {
  if (refused === null) return [];
  const which = refused.version === null ? 'a document' : `version ${refused.version}`;
  return [
    element(
      'div',
      { class: 'condition', 'data-level': 'bad' },
      element('strong', {}, `${gateway} refused ${which}, `, timeElement(refused.at), ': '),
      sentence(refused.reason),
      refused.messages.length === 0
        ? null
        : element('ul', {}, ...refused.messages.map((each) => element('li', {}, code(each)))),
    ),
  ];
}

function historyOf(history: FleetView['history']): HTMLElement {
  const rows = history.map((each) => [
    String(each.version),
    timeElement(each.pushed),
    each.by,
    each.file,
    [
      each.canary === null ? null : `for ${each.canary} alone`,
      each.report_only ? 'report-only' : null,
      each.restores === null ? null : `version ${each.restores} again`,
    ]
      .filter((part) => part !== null)
      .join(', '),
    timeElement(each.expires, 'day'),
  ]);
  return table('Versions', ['Version', 'Pushed', 'By', 'File', 'How', 'Holds until'], rows);
}

const EVERY_MS = 10_000;
