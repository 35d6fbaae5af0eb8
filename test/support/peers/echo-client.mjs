/**
 * A connection to echo-server.mjs that says something each 50 ms. Argument: JSON {…options of tls.connect}; `ca` by path. Says
 * `echo` with the first answer, `gone` where the connection ends, and, when its standard input ends, `longest N`: the longest
 * time between two answers, in milliseconds.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

const options = JSON.parse(process.argv[2]);
let last;
let longest = 0;
const socket = connect({ ...options, ca: readFileSync(options.ca) });
socket.on('data', () => {
  const now = performance.now();
  if (last === undefined) console.log('echo');
  else longest = Math.max(longest, now - last);
  last = now;
});
socket.on('error', (error) => console.log(`gone ${error.code}`)).on('close', () => console.log('gone'));
setInterval(() => socket.write('tick'), 50);
process.stdin.resume().on('end', () => {
  console.log(`longest ${Math.round(longest)}`);
  process.exit();
});
