/**
 * The lists of a running tlspin without its queues, which take privileges: the configuration in force, the files, and the
 * control socket, as `tlspin run` has them. list-keeper.mjs CONFIGURATION SOCKET; says `ready`.
 */
import { answerCommands } from '../../../dist/runtime/control/commands.js';
import { LiveConfiguration } from '../../../dist/runtime/control/configuration.js';
import { readConfiguration } from '../../../dist/runtime/control/configuration/reading.js';
import { ControlServer } from '../../../dist/runtime/control/server.js';
import { loadBinding } from '../../../dist/source/binding.js';

const [file, path] = process.argv.slice(2);
const loaded = readConfiguration(file);
if ('errors' in loaded) throw new Error(loaded.errors.map(({ text }) => text).join('\n'));
let generation = 1;
const configuration = new LiveConfiguration({
  file,
  loaded,
  apply: async () => ({ isInForce: true, generation: ++generation, silent: [] }),
  onChange: () => {},
});
const server = new ControlServer({
  path,
  mode: 0o600,
  answer: answerCommands({ configuration }),
  binding: loadBinding(),
});
await server.start();
process.stdout.write('ready\n');
