/** Why one connection was decided as it was: the explanation, drawn. */
import type { Explanation, FlowExplanation } from '../../src/web/api.ts';
import type { Context, Page } from '../context.ts';
import { append, badge, code, element, prose, table, terms } from '../dom.ts';
import { timeElement } from '../time-element.ts';
import { sentence } from '../sentences.ts';
import { pathOf } from './pin-path.ts';
import { timeLine } from './time-line.ts';

export function flowPage({ server }: Context, flow: string): Page {
  const root = element('section', { 'aria-busy': 'true' }, element('h1', {}, `Flow ${flow}`));
  server
    .get<FlowExplanation>(`/api/flows/${flow}`)
    .then(
      (explained) => root.replaceChildren(...partsOf(explained)),
      (error: Error) =>
        append(root, [
          element(
            'p',
            {},
            `${sentence(error.message)} The engine remembers the latest connections only; its log has them all.`,
          ),
          element('p', {}, element('a', { href: '/live' }, 'Back to the latest connections')),
        ]),
    )
    .finally(() => root.removeAttribute('aria-busy'));
  return { title: `Flow ${flow}`, root };
}

function partsOf({
  flow_id: id,
  phase,
  decided,
  configuration_known: isKnown,
  explanation,
  record,
}: FlowExplanation): HTMLElement[] {
  const { flow, verdict } = explanation;
  const head = element('h1', {}, flow.sni ?? flow.server, ' ', decided ? decisionOf(verdict) : badge(phase, 'note'));
  const why = element(
    'p',
    { class: 'today' },
    prose(`${sentence(verdict.meaning)} ${verdict.hint === null ? '' : sentence(verdict.hint)}`),
  );
  const stale = isKnown
    ? null
    : element(
        'p',
        { class: 'condition', 'data-level': 'warn' },
        'The configuration that decided is not in force any more: pins are those of now.',
      );
  const parts: (HTMLElement | null)[] = [head, why, stale, factsOf(id, explanation, record)];
  parts.push(section('Time line', timeLine(explanation.handshake)));
  parts.push(section('Which pinset', pinsetsOf(explanation)));
  for (const pinset of explanation.judged)
    parts.push(section(`Pins of ${pinset.pinset} beside the certificates`, pathOf(pinset, explanation.certificates)));
  parts.push(section('Certificates as they were shown', certificatesOf(explanation)));
  if (explanation.situation !== null) {
    const { key, values } = explanation.situation;
    parts.push(
      section(
        'Situation',
        table(
          'Settings of the situation',
          ['Setting', 'of', 'is'],
          values.map(({ of, value }) => [code(key), of, code(value)]),
        ),
      ),
    );
  }
  if (explanation.rules.length > 0) {
    const rows = explanation.rules.map(({ rule, matches, verdict: would }) => [
      code(rule),
      matches === null ? 'not compared' : matches ? 'satisfied' : 'not satisfied',
      would,
    ]);
    parts.push(section('Rules', table('Rules', ['Rule', 'Certificates', 'Verdict'], rows)));
  }
  return parts.filter((part) => part !== null);
}

function decisionOf({ action, would }: Explanation['verdict']): HTMLElement {
  if (action !== 'accept') return badge(`denied: ${action}`, 'bad');
  const isSpared = would !== null && would !== 'accept';
  return isSpared ? badge(`let pass; enforce had denied it`, 'warn') : badge('let pass', 'good');
}

function factsOf(id: number, { flow, verdict }: Explanation, record: FlowExplanation['record']): HTMLElement {
  return terms([
    ['Reason', code(verdict.reason)],
    ['Decided', record === null ? null : timeElement(record.timestamp)],
    ['Client', code(flow.client)],
    ['Server', code(flow.server)],
    [
      'Protocol',
      [flow.version, flow.starttls === null ? null : `after ${flow.starttls}`, flow.session_resumed ? 'resumed' : null]
        .filter((part) => part !== null)
        .join(', '),
    ],
    ['Asked a proxy for', flow.fronted],
    ['Pinset', verdict.pinset === null ? 'none' : `${verdict.pinset} (${verdict.mode})`],
    ['Evidence', EVIDENCE[verdict.evidence] ?? verdict.evidence],
    ['Pin that decided', verdict.matched === null ? null : code(verdict.matched)],
    ['Enforce had done', verdict.would],
    ['Fault', verdict.fault === null ? null : code(verdict.fault)],
    ['Flow', code(String(id))],
    ['Configuration', code(verdict.config)],
  ]);
}

function pinsetsOf({ pinsets, pinsets_left_out: leftOut }: Explanation): HTMLElement {
  if (pinsets.length === 0) return element('p', {}, 'The configuration has no pinset.');
  const rows = pinsets.map(({ pinset, chosen_as: as, why }) => [
    pinset,
    as === null ? badge('no say', 'note') : badge(`chosen by ${as}`, 'good'),
    why,
  ]);
  const more = leftOut === 0 ? null : element('p', { class: 'note' }, `${leftOut} others are not shown.`);
  return element('div', {}, table('Pinsets', ['Pinset', 'Say', 'Why'], rows), more);
}

function certificatesOf({ certificates }: Explanation): HTMLElement {
  if (certificates.length === 0) return element('p', {}, 'None was seen.');
  const items = certificates.map(
    ({ subject, issuer, not_before: from, not_after: until, names, sha256, spki_sha256: key }) =>
      element(
        'li',
        {},
        element('strong', {}, subject ?? 'a subject that cannot be read'),
        terms([
          ['Issuer', issuer],
          ['Names', names.join(', ')],
          [
            'Valid',
            from === null || until === null
              ? null
              : element('span', {}, timeElement(from, 'day'), ' to ', timeElement(until, 'day')),
          ],
          ['Key', key === null ? null : code(key)],
          ['SHA-256', code(sha256)],
        ]),
      ),
  );
  return element('ol', { class: 'certificates', start: 0 }, ...items);
}

function section(title: string, content: HTMLElement): HTMLElement {
  return element('section', {}, element('h2', {}, title), content);
}

const EVIDENCE: Readonly<Record<string, string>> = {
  observed: 'the certificate, seen in clear',
  resumed: 'a session whose beginning was seen',
  probed: 'what the server showed to a probe',
  decrypted: 'the certificate, decrypted with a logged secret',
  none: 'no certificate',
};
