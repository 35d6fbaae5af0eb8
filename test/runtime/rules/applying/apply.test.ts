import { beforeEach, describe, expect, it } from 'vitest';

import { applyRules } from '../../../../src/runtime/rules/applying/apply.ts';
import { renderClosing, renderOpening } from '../../../../src/runtime/rules/applying/closing.ts';
import { feedProgram } from '../../../../src/runtime/programs/program.ts';

let fed: string[];
let fails: (program: string, input: string) => string | undefined;

beforeEach(() => {
  fed = [];
  fails = () => undefined;
});

const apply = (format: 'iptables' | 'nft') =>
  applyRules('THE RULES', {
    hook: 'forward',
    format,
    feed: async (program, args, input) => {
      fed.push([program, ...args, nameOf(input)].join(' '));
      return fails(program, input);
    },
    run: async (program) => `what ${program} says`,
  });

function nameOf(input: string): string {
  for (const format of ['iptables', 'nft'] as const) {
    if (input === renderOpening('forward', format)) return `THE OPENING BY ${format}`;
  }
  return input.includes('Takes away') ? 'THE REMOVAL' : input;
}

describe('applying', () => {
  it('runs the script, and nothing more where that does it', async () => {
    expect(await apply('iptables')).toBeUndefined();
    expect(fed).toEqual(['sh THE RULES', 'sh THE OPENING BY nft']);
  });

  it('puts back what was there where a part of it fails, and says why', async () => {
    fails = (_, input) => (input === 'THE RULES' ? 'no such table' : undefined);
    expect(await apply('iptables')).toBe('no such table');
    expect(fed.slice(1)).toEqual([
      'sh THE REMOVAL',
      'iptables-restore -w 10 -c what iptables-save says',
      'ip6tables-restore -w 10 -c what ip6tables-save says',
    ]);
  });

  it('says what could not be put back', async () => {
    fails = (program, input) =>
      input === 'THE RULES' || program === 'ip6tables-restore' ? `${program} failed` : undefined;
    expect(await apply('iptables')).toBe(
      'sh failed; and what was there before could not be put back: ip6tables-restore failed',
    );
  });

  it('leaves it to nft, which does all or nothing itself', async () => {
    fails = () => 'syntax error';
    expect(await apply('nft')).toBe('syntax error');
    expect(fed).toEqual(['nft -f - THE RULES']);
  });
});

it('what closes a host drops what it forwards, or what it begins, but to itself', () => {
  expect(renderClosing('forward', 'iptables')).toContain("fill ip6tables filter FORWARD '-j tlspin-closed' <<'EOF'");
  expect(renderClosing('local', 'iptables')).toContain(
    "fill iptables filter OUTPUT '! -o lo -m conntrack --ctstate NEW",
  );
  expect(renderClosing('forward', 'nft')).toMatch(
    /table inet tlspin \{\n {2}chain closed \{\n.* hook forward .*\n +drop\n/,
  );
  expect(renderClosing('local', 'nft')).toContain('oifname != "lo" ct state new drop');
});

it('a program that is not there is said to be missing', async () => {
  expect(await feedProgram('tlspin-no-such-program', [], '')).toBe(
    'tlspin-no-such-program is missing: install the package that has it',
  );
});
