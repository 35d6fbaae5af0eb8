/** What was learned as people read it, and as pinsets to take over. Knows where it came from no more than its reader. */
import { jsonText, printable } from '../../bytes/invisible.ts';
import type { ForgottenHost } from '../../learn/forget.ts';
import type { Proposal } from '../../learn/proposal.ts';

export function showText(proposals: readonly Proposal[], isJson: boolean): string {
  if (isJson) return json(proposals.map(({ proposed: _, ...shown }) => shown));
  return proposals.map((each) => `${hostText(each)}\n`).join('');
}

function hostText({ pinset, host, standing, learned, warnings }: Proposal): string {
  const held = learned.promoted?.keys ?? [];
  const row = (
    what: string,
    key: { spki: string; subject: string | null; count: number; firstSeen: string; lastSeen: string },
  ) =>
    `  ${what}  spki-sha256:${key.spki}  ${key.count} × ${key.firstSeen.slice(0, 10)} … ${key.lastSeen.slice(0, 10)}  ${printable(key.subject ?? '?')}`;
  return [
    `${pinset}  ${host}  ${standing}, seen ${learned.observations} ×`,
    ...learned.keys.map((key) => row(held.includes(key.spki) ? 'held  ' : 'leaf  ', key)),
    ...learned.issuers.map((key) => row('issuer', key)),
    ...learned.refused.map((key) => row('denied', key)),
    ...warnings.map((warning) => `  warning: ${printable(warning)}`),
  ].join('\n');
}

/** JSON with comments, as configurations are, so that what speaks against a pin stands next to it. */
export function proposeText(proposals: readonly Proposal[], isJson: boolean): string {
  if (isJson) {
    const warnings = proposals.flatMap(({ host, warnings: texts }) => texts.map((warning) => ({ host, warning })));
    return json({ pinsets: proposals.flatMap(({ proposed }) => proposed ?? []), warnings });
  }
  const parts = proposals.flatMap(({ pinset, host, standing, proposed, warnings }) => [
    `  // ${host}, learned by "${printable(pinset)}": ${standing}`,
    ...warnings.map((warning) => `  // warning: ${printable(warning)}`),
    ...(proposed === undefined ? [] : [`${jsonText(proposed, 2).replace(/^/gm, '  ')},`]),
  ]);
  return ['[', ...parts, ']', ''].join('\n');
}

export function forgottenText(forgotten: readonly ForgottenHost[], isJson: boolean): string {
  if (isJson) return json({ forgotten });
  const lines = forgotten.map(({ pinset, host, observations, held }) => {
    const was = held === null ? '' : `, was held to ${held.join(' ')}`;
    return `forgotten: ${host} (${printable(pinset)}), seen ${observations} ×${was}\n`;
  });
  return lines.join('');
}

function json(value: unknown): string {
  return `${jsonText(value, 2)}\n`;
}
