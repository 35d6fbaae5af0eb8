/**
 * Connections to echo-server.mjs that say something each 50 ms. Argument: JSON {count (1), …options of tls.connect}; `ca` by
 * path. Says `echo` once each has had an answer, `gone` where one ends, and, when its standard input ends, `longest N`: the
 * longest time without an answer, in milliseconds, of any of them.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

const { count = 1, ...options } = JSON.parse(process.argv[2]);
const ca = readFileSync(options.ca);
const last = new Map();
let longest = 0;
for (let n = 0; n < count; n++) {
  const socket = connect({ ...options, ca });
  socket.on('data', () => {
    const isFirst = !last.has(n);
    heard(n);
    last.set(n, performance.now());
    if (isFirst && last.size === count) console.log('echo');
  });
  socket.on('error', (error) => console.log(`gone ${error.code}`)).on('close', () => console.log('gone'));
  setInterval(() => socket.write('tick'), 50);
}
process.stdin.resume().on('end', () => {
  for (const n of last.keys()) heard(n);
  console.log(`longest ${Math.round(longest)}`);
  process.exit();
});

function heard(n) {
  const now = performance.now();
  longest = Math.max(longest, now - (last.get(n) ?? now));
}
