/**
 * The adversary for as long as he is given: `npm run adversary -- [--form engine|dtls|kernel] --seconds 600 [--seed N]`.
 * What he finds is shown shrunk to its moves, and kept under counterexamples/found/; exit status 1 then.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const FORMS = ['engine', 'dtls', 'kernel'];
const values = readArguments();
if (!/^\d+$/.test(values.seconds)) refuse('--seconds takes a whole number');
if (!FORMS.includes(values.form)) refuse(`--form is one of ${FORMS.join(', ')}`);
const vitest = ['vitest', 'run', '--project', 'adversary', `test/adversary/${values.form}.adversary.ts`];
const [command, ...args] =
  values.form === 'engine' ? ['npx', ...vitest] : ['test/support/private.sh', 'npx', ...vitest];
const { status } = spawnSync(command, args, {
  stdio: 'inherit',
  env: { ...process.env, ADVERSARY_SECONDS: values.seconds, ...(values.seed ? { ADVERSARY_SEED: values.seed } : {}) },
});
process.exit(status ?? 1);

function readArguments() {
  try {
    const text = { type: 'string' };
    return parseArgs({
      options: { seconds: { ...text, default: '60' }, seed: text, form: { ...text, default: 'engine' } },
    }).values;
  } catch (error) {
    return refuse(error.message);
  }
}

function refuse(message) {
  console.error(`adversary: ${message}`);
  process.exit(2);
}
