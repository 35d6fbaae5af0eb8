/**
 * An explanation as people read it, of a flow of a capture and of one of a running engine alike: the verdict, which
 * pinsets there were, what was presented, what each pin was compared with. Knows nothing of how it came about.
 */
import { printable } from '../../bytes/invisible.ts';
import type { ComparedPin } from '../../runtime/explain/comparison.ts';
import type { JudgedCheck } from '../../runtime/explain/checks.ts';
import type { ExplainedStep } from '../../runtime/explain/handshake.ts';
import type { ExplainedCertificate, Explanation, JudgedPinset, JudgedRule } from '../../runtime/explain/explanation.ts';
import { isOfKeys, pinLine } from '../../runtime/incident/remedy.ts';
import type { Output, Style } from '../output.ts';

export interface Title {
  /** Such as `flow 17 (settled)`. */
  readonly flow: string;
  /** False while the record tells what was seen so far. */
  readonly isDecided: boolean;
  /** What has to be known of the whole. */
  readonly notes: readonly string[];
}

export function showExplanation(explanation: Explanation, title: Title, out: Output): void {
  showVerdict(explanation, title, out);
  showSituation(explanation, out);
  showHandshake(explanation.handshake, out);
  showPinsets(explanation, out);
  showCertificates(explanation.certificates, out);
  for (const judged of explanation.judged) showJudged(judged, explanation, out);
  showRules(explanation.rules, explanation.rules_left_out, out);
  showPaste(explanation, out);
}

/** Where the leaf's own key would have let it pass. */
function showPaste({ verdict, certificates, judged }: Explanation, out: Output): void {
  const [leaf] = certificates;
  const isDenied = verdict.action !== 'accept' || (verdict.would !== null && verdict.would !== 'accept');
  if (!isDenied || !isOfKeys(verdict.reason) || judged.length === 0) return;
  if (leaf?.spki_sha256 === undefined || leaf.spki_sha256 === null) return;
  out.line(
    `\nwhere that key is genuine, into "pins" of the pinset "${printable(verdict.pinset ?? judged[0]!.pinset)}":`,
  );
  out.line(`  ${printable(pinLine(`spki-sha256:${leaf.spki_sha256}`, leaf.subject ?? 'unreadable'))}`);
}

function showVerdict({ flow, verdict }: Explanation, { flow: name, isDecided, notes }: Title, out: Output): void {
  const facts = [
    flow.sni === null ? 'no server name' : printable(flow.sni),
    flow.version ?? 'no TLS version yet',
    ...(flow.starttls === null ? [] : [`after ${flow.starttls}`]),
    ...(flow.fronted === null ? [] : [`which was asked for ${printable(flow.fronted)}`]),
    ...(flow.session_resumed ? ['session resumed'] : []),
  ];
  out.line(`${out.paint('bold', name)}: ${flow.client} to ${flow.server}, ${facts.join(', ')}`);
  const { action, reason, meaning, pinset, mode, evidence, would, fault, hint } = verdict;
  if (isDecided) {
    const style: Style = action === 'accept' ? 'good' : 'bad';
    out.line(`verdict: ${out.paint(style, `${action}, ${reason}`)}: ${meaning}`);
    out.line(`  ${pinset === null ? 'no pinset' : `pinset ${pinset} (${mode})`}, evidence: ${evidence}`);
    if (would !== null) out.line(`  nothing is enforced; it would have been: ${would}`);
  } else {
    out.line('not decided yet');
  }
  if (fault !== null) out.line(`  what was wrong: ${printable(fault)}${hint === null ? '' : `: ${hint}`}`);
  for (const note of notes) out.line(`  ${out.paint('warn', note)}`);
}

function showSituation({ situation, verdict }: Explanation, out: Output): void {
  if (situation === null) return;
  const values = situation.values.map(({ of, value }) => `"${value}" (${of})`).join(', ');
  out.line(`  "${situation.key}" is ${values}`);
  const mayAsk = situation.values.some(({ value }) => value.includes('probe'));
  if (mayAsk && verdict.evidence === 'none' && verdict.fault === null) {
    out.line('  in a capture nobody can be asked: a running engine would probe the server');
  }
}

function showHandshake(steps: readonly ExplainedStep[], out: Output): void {
  if (steps.length === 0) return;
  heading("handshake, since the client's first octets of TLS", out);
  for (const { at_us: at, from, what } of steps) {
    out.line(`  ${(at / 1000).toFixed(1).padStart(9)} ms  ${from}: ${STEPS[what] ?? what}`);
  }
}

function showPinsets({ pinsets, pinsets_left_out: leftOut }: Explanation, out: Output): void {
  heading('pinsets', out);
  for (const { pinset, chosen_as: chosenAs, why } of pinsets) {
    const chosen = chosenAs === null ? out.paint('faint', 'not chosen:') : out.paint('good', `chosen as ${chosenAs}:`);
    out.line(`  ${pinset}: ${chosen} ${printable(why)}`);
  }
  if (leftOut > 0) out.line(`  and ${leftOut} more that were not chosen`);
  if (pinsets.every(({ chosen_as: chosenAs }) => chosenAs === null)) out.line('  none is for this flow');
}

function showCertificates(certificates: readonly ExplainedCertificate[], out: Output): void {
  heading(certificates.length === 0 ? 'certificates: none was seen' : 'certificates', out);
  for (const [index, certificate] of certificates.entries()) {
    const { subject, issuer, not_before: from, not_after: until, spki_sha256: spki } = certificate;
    const place = index === 0 ? ' (leaf)' : '';
    out.line(
      `  ${index + 1}${place}: ${printable(subject ?? 'unreadable')}, issued by ${printable(issuer ?? 'unreadable')}`,
    );
    out.line(`     valid from ${from?.slice(0, 10) ?? '?'} until ${until?.slice(0, 10) ?? '?'} (UTC)`);
    if (spki !== null) out.line(`     spki-sha256:${spki}`);
    out.line(`     cert-sha256:${certificate.sha256}`);
    out.line(`     cert-sha1:${certificate.sha1}`);
  }
}

function showJudged(judged: JudgedPinset, { certificates, verdict }: Explanation, out: Output): void {
  heading(`pinset ${judged.pinset}${judged.reason === null ? '' : `: ${judged.reason}`}`, out);
  const hasChain = certificates.length > 0;
  const shown = judged.pins.slice(0, SHOWN_PINS);
  for (const compared of shown) {
    const { pin, at, role } = compared;
    out.line(`  ${shortened(pin)} (${at}${role === 'backup' ? ', backup' : ''})`);
    out.line(`     ${hasChain ? comparisonText(compared, pin === verdict.matched, out) : uncompared(compared)}`);
  }
  const more = judged.pins.length - shown.length + judged.pins_left_out;
  if (more > 0) out.line(`  and ${more} more pins`);
  if (judged.denied !== null) {
    out.line(`  ${out.paint('bad', 'deny pin')} ${shortened(judged.denied)} is of one of the certificates`);
  } else if (judged.deny_pins > 0 && hasChain) {
    out.line(`  ${judged.deny_pins === 1 ? 'the deny pin is' : `${judged.deny_pins} deny pins are`} of none of them`);
  }
  for (const { check, value, outcome, detail } of judged.checks) {
    const text = OUTCOMES[outcome];
    out.line(
      `  ${check} (${value}): ${out.paint(text.style, text.text)}${detail === '' ? '' : `, ${printable(detail)}`}`,
    );
  }
}

function showRules(rules: readonly JudgedRule[], leftOut: number, out: Output): void {
  if (rules.length > 0) heading('rules', out);
  for (const { rule, matches, verdict } of rules) {
    const result = matches === null ? 'was not compared' : matches ? `true, ${verdict}` : 'not true';
    out.line(`  ${shortened(rule)}: ${result}`);
  }
  if (leftOut > 0) out.line(`  and ${leftOut} more`);
}

function comparisonText({ equals, counts, but }: ComparedPin, decided: boolean, out: Output): string {
  const where = equals.map((index) => `certificate ${index + 1}`).join(', ');
  if (counts) {
    const how = equals.length === 0 ? 'its certificate ends the path' : `it is of ${where}`;
    return `${out.paint('good', 'matches')}: ${how}${decided ? ', and decided' : ''}`;
  }
  if (equals.length > 0) return `${out.paint('warn', 'no match')}: it is of ${where}, but ${but}`;
  return `${out.paint('faint', 'no match')}: ${but ?? 'it is of none of the certificates'}`;
}

function uncompared({ but }: ComparedPin): string {
  return but === null ? 'was not compared' : `was not compared: ${but}`;
}

function heading(text: string, out: Output): void {
  out.line(`\n${out.paint('bold', text)}`);
}

/** Whole keys and certificates are pins too. */
function shortened(pin: string): string {
  return pin.length <= WIDTH ? pin : `${pin.slice(0, WIDTH - 1)}…`;
}

const OUTCOMES: Readonly<Record<JudgedCheck['outcome'], { readonly style: Style; readonly text: string }>> = {
  holds: { style: 'good', text: 'holds' },
  fails: { style: 'bad', text: 'fails' },
  'not-asked': { style: 'faint', text: 'not asked' },
  undecided: { style: 'warn', text: 'undecided' },
};
/** tlspin's own. */
const STEPS: Readonly<Record<string, string>> = {
  'probe-asked': 'asks the server itself',
  'probe-answered': 'has its answer',
  hold: 'packets wait',
  decision: 'decides',
};
const WIDTH = 90;
/** Of a pinset. */
const SHOWN_PINS = 40;
