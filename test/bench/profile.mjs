/**
 * Where an engine's time went: `node test/bench/profile.mjs FILE.cpuprofile…`, of what `npm run bench -- --profile
 * DIRECTORY` left there. Of each thread what it was busy with, by the function (self) and by what that function called
 * (inclusive); idle time is left out.
 */
import { readFileSync } from 'node:fs';

for (const file of process.argv.slice(2)) {
  const { busy, self, inclusive } = read(file);
  console.log(`${file}: busy for ${(busy / 1e6).toFixed(1)} s`);
  print('inclusive', inclusive, busy, 45);
  print('self', self, busy, 25);
}

function read(file) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'));
  const byId = new Map(nodes.map((node) => [node.id, { name: nameOf(node), parent: undefined }]));
  for (const { id, children = [] } of nodes) for (const child of children) byId.get(child).parent = byId.get(id);
  const [self, inclusive] = [new Map(), new Map()];
  let busy = 0;
  samples.forEach((id, index) => {
    const node = byId.get(id);
    if (node.name.startsWith('(idle)')) return;
    busy += timeDeltas[index];
    add(self, node.name, timeDeltas[index]);
    const names = new Set();
    for (let at = node; at !== undefined; at = at.parent) names.add(at.name);
    for (const name of names) add(inclusive, name, timeDeltas[index]);
  });
  return { busy, self, inclusive };
}

function nameOf({ callFrame: { functionName, url, lineNumber } }) {
  const place = url === '' ? '' : ` ${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}

function add(sums, name, micros) {
  sums.set(name, (sums.get(name) ?? 0) + micros);
}

function print(title, sums, busy, count) {
  console.log(`  ${title}`);
  for (const [name, micros] of [...sums].sort((a, b) => b[1] - a[1]).slice(0, count)) {
    console.log(`${((100 * micros) / busy).toFixed(1).padStart(8)} %  ${name}`);
  }
}
