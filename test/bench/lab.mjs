/**
 * A client, a gateway and a server in namespaces of their own; on the gateway, one after the other, whatever is compared.
 * What was once started stays: only the rules say to whom packets go, so that everybody is measured warm. Whoever is not in
 * place is stopped meanwhile (SIGSTOP): engines without rules look for them every other second, with ten programs each time.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Network } from '../../dist/runtime/demo/network.js';
import { configurations, PORTS } from './configurations.mjs';
import { HOST, readRecording, recordP256, toScript } from './recording.mjs';

export class Lab {
  #plan;
  #network = Network.create({ prefix: 'bench', hosts: ['client', 'gateway', 'server'] });
  #children = [];
  /** Program on the gateway by name: { queue, process, rules }. */
  #contenders = new Map();
  #closing = false;
  /** By engine, the visits that it has had for a while. */
  #warm = new Map();
  #inPlace = '';
  #recording = readRecording();
  #p256;
  #configurations;
  #nginx;

  constructor(plan) {
    this.#plan = plan;
  }

  static async create(plan) {
    const lab = new Lab(plan);
    await lab.#prepare();
    return lab;
  }

  /**
   * Puts it on the gateway: `none`, `conntrack`, `accept-all`, `accept-all-bare`, `classic`, `npm-nfqueue`, `suricata`,
   * `node-nfqueue`, `javascript`, `javascript-record`, `tlspin:CONFIGURATION`, `tlspin:CONFIGURATION:queued`, whose rules never let an accepted
   * flow by, or `tlspin:CONFIGURATION:twofold`, with two queues.
   */
  async put(contender) {
    if (this.#inPlace === contender) return;
    this.#clear();
    this.#contenders.get(this.#inPlace)?.process?.kill('SIGSTOP');
    this.#inPlace = contender;
    const { rules, process: program } = await this.#have(contender);
    program?.kill('SIGCONT');
    if (rules !== '') this.#network.shell('gateway', rules);
    if (!this.#plan.short && contender.startsWith('tlspin:')) await sleep(LOOKED_MS);
  }

  /** Whether what this contender needs is on this machine. */
  has(contender) {
    const { classic, npmNfqueue, suricata } = this.#plan.tools;
    const wanted = { classic, 'npm-nfqueue': npmNfqueue, suricata };
    return wanted[contender] !== null;
  }

  /**
   * Lets clients visit through what is in place. `kind`: `handshake`, `p256`, `new-certificate`, `bulk`, `echo`. What visit.c
   * says, and of the contender: `queued` packets and `cpu` seconds, the warm-up included.
   */
  async visit(kind, { atOnce, seconds, warm }) {
    const { port, script, varied, mode } = SERVICES[kind];
    const visit = [
      this.#path(script),
      varied ? this.#recording.varied : '-',
      mode,
      atOnce,
      warm * 1000,
      seconds * 1000,
    ];
    const before = this.#usage();
    const text = await this.#output('client', [this.#plan.tools.visit, SERVERS.join(','), port, ...visit]);
    const outcome = { ...JSON.parse(text), ...this.#usedSince(before) };
    return this.#checked(outcome);
  }

  /** Throws where more of the connections failed than a busy machine explains; says what was refused of fewer. */
  async #checked(outcome) {
    const { total, failed } = outcome;
    if (failed === 0) return outcome;
    const what = `${this.#inPlace}: ${failed} connections of ${total} failed`;
    const said = [what, ...(await this.#refused())].join('\n');
    if (failed > total / 100) throw new Error(said);
    process.stderr.write(`bench: ${said}\n`);
    return outcome;
  }

  /**
   * Has the engine that is in place see handshakes until its compiler is done with what it meets all the time, once for
   * each process: a gateway runs for months, and what it does in its first seconds is another figure. `visit`: of others
   * than the recorded ones, which are another way through the engine, once for each of these too.
   */
  async warmUp(visit = WARM_UP.visit) {
    const { process: program } = this.#contenders.get(this.#inPlace);
    if (!this.#inPlace.startsWith('tlspin:')) return;
    const known = this.#warm.get(program) ?? new Set();
    if (known.has(visit)) return;
    this.#warm.set(program, known.add(visit));
    const { handshakes, longestMs, calm } = this.#plan.short ? WARM_UP.short : WARM_UP.long;
    const until = Date.now() + longestMs;
    for (let [seen, calmFor] = [0, 0]; (seen < handshakes || calmFor < calm) && Date.now() < until;) {
      const before = threadTimes(program.pid);
      seen += (await visit(this, WARM_UP.pace)).handshakes;
      calmFor = compilerShare(before, threadTimes(program.pid)) < WARM_UP.compiling ? calmFor + 1 : 0;
    }
  }

  /** Real TLS: openssl s_time, some of them at once, each new connection a full handshake with nginx. */
  async visitNginx(version, { atOnce, seconds }) {
    await this.#startNginx();
    const before = this.#usage();
    const { port, option } = NGINX[version];
    const server = ['-connect', `${SERVERS[0]}:${port}`, '-new', option, '-time', Math.ceil(seconds)];
    const began = process.hrtime.bigint();
    const texts = await Promise.all(
      Array.from({ length: atOnce }, () => this.#output('client', [this.#plan.tools.openssl, 's_time', ...server])),
    );
    const handshakes = texts.reduce((sum, text) => sum + Number(/(\d+) connections in \d+ real/.exec(text)?.[1]), 0);
    return {
      handshakes,
      total: handshakes,
      seconds: Number(process.hrtime.bigint() - began) / 1e9,
      ...this.#usedSince(before),
    };
  }

  /** Real TLS 1.3, one after the other, each to a name that nobody asked for before: what peers/first-contact.mjs says. */
  async visitFirst() {
    await this.#startNginx();
    const peer = join(import.meta.dirname, 'peers/first-contact.mjs');
    const before = this.#usage();
    const text = await this.#output('client', ['node', peer, SERVERS[0], NGINX['1.3'].port]);
    return this.#checked({ ...JSON.parse(text), ...this.#usedSince(before) });
  }

  get hasNginx() {
    return this.#plan.tools.nginx !== null && this.#plan.tools.openssl !== null;
  }

  /** The verdict records of a configuration's engine so far; the file begins anew. */
  async takeVerdicts(configuration) {
    await sleep(200);
    const text = readFileSync(this.#log(configuration), 'utf8');
    writeFileSync(this.#log(configuration), '');
    const records = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    return records.filter(({ event_type }) => event_type === 'verdict');
  }

  /** The handshakes that Suricata has seen, as its records have them. */
  readSuricata() {
    const lines = readFileSync(this.#path('suricata/eve.json'), 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line)).filter(({ event_type }) => event_type === 'tls');
  }

  async close() {
    this.#closing = true;
    const gone = this.#children.map((child) => {
      const exit = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode !== null || child.signalCode !== null) return undefined;
      // A profile is written at the end only.
      child.kill('SIGTERM');
      child.kill('SIGCONT');
      return exit;
    });
    await Promise.race([Promise.all(gone), sleep(10_000, undefined, { ref: false })]);
    this.#network.remove();
  }

  async #prepare() {
    const { scratch, tools } = this.#plan;
    this.#p256 = await recordP256(tools.openssl ?? 'openssl', scratch);
    this.#configurations = configurations(...this.#leaves);
    writeFileSync(this.#path('whole'), toScript(this.#recording.whole));
    writeFileSync(this.#path('opening'), toScript(this.#recording.opening));
    writeFileSync(this.#path('p256'), toScript(this.#p256.whole));
    mkdirSync(join(scratch, 'nginx'));
    for (const server of SERVERS.slice(1)) {
      this.#network.run(
        'server',
        'ip',
        'addr',
        'add',
        `${server}/24`,
        'dev',
        this.#network.device('server', 'gateway'),
      );
    }
    for (const host of ['client', 'server']) this.#network.shell(host, PEER_SYSCTLS);
    for (const { port, script, varied, mode } of Object.values(SERVICES)) {
      await this.#start('server', [tools.serve, port, this.#path(script), varied ? this.#recording.varied : '-', mode]);
    }
  }

  get #leaves() {
    return [this.#recording.leaf, this.#p256.leaf];
  }

  async #have(contender) {
    const known = this.#contenders.get(contender);
    if (known !== undefined) return known;
    const made = await this.#make(contender);
    this.#contenders.set(contender, made);
    return made;
  }

  async #make(contender) {
    const { tools } = this.#plan;
    // Two each: an engine may have a second one.
    const queue = 2 * this.#contenders.size;
    switch (contender) {
      case 'none':
        return { rules: '' };
      case 'conntrack':
        return { rules: ONE_RULE };
      case 'accept-all':
      case 'accept-all-bare':
      case 'classic': {
        const program = contender === 'classic' ? tools.classic : tools.acceptAll;
        const process = await this.#start('gateway', [program, queue]);
        const before = contender === 'accept-all-bare' ? '' : `${ONE_RULE}\n`;
        return { queue, process, rules: `${before}${queueRule(queue)}` };
      }
      case 'npm-nfqueue': {
        const script = join(import.meta.dirname, 'yardsticks/npm-nfqueue.mjs');
        const process = await this.#start('gateway', ['node', script, tools.npmNfqueue, queue]);
        return { queue, process, rules: `${ONE_RULE}\n${queueRule(queue)}` };
      }
      case 'javascript':
      case 'javascript-record':
      case 'node-nfqueue': {
        const script = join(import.meta.dirname, `yardsticks/${contender}.mjs`);
        const process = await this.#start('gateway', ['node', script, queue]);
        return { queue, process, rules: `${ONE_RULE}\n${queueRule(queue)}` };
      }
      case 'suricata': {
        const start = join(import.meta.dirname, 'yardsticks/suricata/start');
        const rule = suricataRule(this.#leaves);
        const options = ['--runmode', 'workers', '-q', queue];
        const argv = ['unshare', '--mount', start, tools.suricata, this.#path('suricata'), rule, ...options];
        const process = await this.#start('gateway', argv, /Engine started/);
        return { queue, process, rules: `${ONE_RULE}\n${queueRule(queue)}` };
      }
      default:
        return this.#makeEngine(contender, queue);
    }
  }

  async #makeEngine(contender, queue) {
    const [, configuration, variant] = contender.split(':');
    if (variant === 'queued') {
      const plain = await this.#have(`tlspin:${configuration}`);
      return { ...plain, rules: plain.rules.replaceAll(/^-A \S+ -m connmark .* -j RETURN$/gm, '') };
    }
    const isTwofold = variant === 'twofold';
    const file = this.#path(`${isTwofold ? 'twofold-' : ''}${configuration}.json`);
    if (configuration.startsWith('nginx')) await this.#startNginx();
    const document = this.#configurations[configuration](this.#nginx?.pins);
    writeFileSync(file, JSON.stringify({ ...document, queues: isTwofold ? `${queue}:${queue + 1}` : queue }));
    const rules = await this.#output('gateway', ['node', TLSPIN, 'rules', '-c', file]);
    const process = await this.#start(
      'gateway',
      [
        'node',
        ...this.#profiling(),
        TLSPIN,
        'run',
        '-c',
        file,
        '--log',
        this.#log(isTwofold ? `twofold-${configuration}` : configuration),
      ],
      /^queues? .* bound,/m,
    );
    return { queue, process, rules };
  }

  #profiling() {
    const { profile } = this.#plan;
    return profile === null ? [] : ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${profile}`];
  }

  async #startNginx() {
    if (this.#nginx !== undefined) return;
    const { tools } = this.#plan;
    const at = (name) => this.#path(`nginx/${name}`);
    const request = ['req', '-x509', '-nodes', '-days', '30', '-subj', '/CN=www.nginx.example'];
    const pins = {};
    for (const [version, { key }] of Object.entries(NGINX)) {
      const files = ['-keyout', at(`${version}.key`), '-out', at(`${version}.crt`)];
      await this.#output('server', [tools.openssl, ...request, ...key, ...files]);
      const pinset = await this.#output('server', ['node', TLSPIN, 'pin', at(`${version}.crt`), '--json']);
      pins[version] = JSON.parse(pinset).pins[0];
    }
    writeFileSync(at('conf'), nginxConfiguration(at));
    await this.#start('server', [tools.nginx, '-c', at('conf'), '-e', at('log')], null);
    this.#nginx = { pins };
    await this.#until(() => this.#network.run('server', 'ss', '-ltn').includes(`:${NGINX['1.3'].port}`), 'nginx');
  }

  #clear() {
    this.#network.shell('gateway', CLEAR);
  }

  #path(name) {
    return join(this.#plan.scratch, name);
  }

  #log(configuration) {
    return this.#path(`${configuration}.log`);
  }

  /** Starts a program and waits until it says that it is ready; `ready` null: it says nothing. */
  async #start(host, argv, ready = /ready/) {
    const [program, args] = this.#network.inside(host, argv.map(String));
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
    child.once('exit', (code, signal) => {
      if (!this.#closing) process.stderr.write(`bench: ${argv.join(' ')} ended (${code ?? signal}): ${said.trim()}\n`);
    });
    if (ready === null) return child;
    await this.#until(() => {
      if (child.exitCode !== null) throw new Error(`${argv.join(' ')} ended: ${said.trim()}`);
      return ready.test(said);
    }, argv.join(' '));
    return child;
  }

  async #until(isDone, what) {
    for (let waited = 0; waited < START_TIMEOUT_MS; waited += POLL_MS) {
      if (isDone()) return;
      await sleep(POLL_MS);
    }
    throw new Error(`${what} did not start`);
  }

  #output(host, argv) {
    const [program, args] = this.#network.inside(host, argv.map(String));
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      let [out, err] = ['', ''];
      child.stdout.on('data', (chunk) => (out += chunk));
      child.stderr.on('data', (chunk) => (err += chunk));
      child.once('error', reject);
      child.once('close', async (code) => {
        if (code === 0) return resolve(out);
        const what = `${this.#inPlace}: ${argv.join(' ')}: ${(err || out).trim()}`;
        reject(new Error([what, ...(await this.#refused())].join('\n')));
      });
    });
  }

  /** What the engine that is in place last refused, a line each: nothing of what is measured is to be. */
  async #refused() {
    if (!this.#inPlace.startsWith('tlspin:')) return [];
    const [, configuration] = this.#inPlace.split(':');
    const verdicts = await this.takeVerdicts(configuration);
    const refused = verdicts.filter(({ verdict }) => verdict.action !== 'accept').slice(-3);
    return refused.map(({ verdict, anomalies }) => JSON.stringify({ ...verdict, anomalies }));
  }

  #usage() {
    const { queue, process: program } = this.#contenders.get(this.#inPlace) ?? {};
    if (queue === undefined) return { queued: 0, cpu: 0 };
    const lines = this.#network.run('gateway', 'cat', '/proc/net/netfilter/nfnetlink_queue').trim().split('\n');
    const rows = lines.map((line) => line.trim().split(/\s+/).map(Number));
    const own = rows.filter(([number]) => number === queue || number === queue + 1);
    const sum = (column) => own.reduce((total, row) => total + row[column], 0);
    return { queued: sum(7), lost: sum(5) + sum(6), cpu: cpuSeconds(program.pid) };
  }

  #usedSince(before) {
    const now = this.#usage();
    return { queued: now.queued - before.queued, lost: now.lost - before.lost || 0, cpu: now.cpu - before.cpu };
  }
}

/** Several, so that a client does not run out of ports. */
const SERVERS = ['198.51.100.2', ...Array.from({ length: 7 }, (_, i) => `198.51.100.${10 + i}`)];

/** What nginx listens with, by the version of TLS. */
const NGINX = {
  1.2: { port: 447, option: '-tls1_2', key: ['-newkey', 'rsa:2048'] },
  1.3: { port: 448, option: '-tls1_3', key: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] },
};
const SERVICES = {
  handshake: { port: 443, script: 'whole', varied: false, mode: 'handshake' },
  'new-certificate': { port: 444, script: 'whole', varied: true, mode: 'handshake' },
  bulk: { port: 445, script: 'opening', varied: false, mode: 'bulk' },
  echo: { port: 446, script: 'opening', varied: false, mode: 'echo' },
  p256: { port: 449, script: 'p256', varied: false, mode: 'handshake' },
};

const TLSPIN = join(import.meta.dirname, '../../dist/cli/main.js');
/** An engine has seen twice that there are other rules: in a gateway's life they change less often than every few seconds. */
const LOOKED_MS = 3_500;
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/** What any gateway with a firewall does, and where the engine's own rules are. */
const ONE_RULE = 'iptables -w -t security -A FORWARD -m conntrack --ctstate INVALID -j DROP';
function queueRule(queue) {
  const ports = PORTS.replace('-', ':');
  return `iptables -w -t security -A FORWARD -p tcp -m multiport --ports ${ports} -j NFQUEUE --queue-num ${queue}`;
}

/** What pins these certificates, as Suricata says it: the name is of one direction, the fingerprint of the other. */
function suricataRule(leaves) {
  const others = leaves.map(({ fingerprint }) => `content:!"${fingerprint.toLowerCase()}";`).join(' ');
  return `alert tls any any -> any any (msg:"the bank"; tls.sni; content:"${HOST}"; flowbits:set,bank; flowbits:noalert; sid:1;)
drop tls any any -> any any (msg:"another key"; flowbits:isset,bank; tls.cert_fingerprint; ${others} sid:2;)`;
}

/** No rule, no hook of conntrack's, and no connection that it remembers. */
const CLEAR = `
conntrack -F 2>/dev/null || true
nft flush ruleset
for program in iptables ip6tables; do
  for table in security mangle filter; do $program -w -t $table -F; $program -w -t $table -X; done
done
nft flush ruleset
for wait in time_wait close fin_wait last_ack close_wait; do
  echo 1 > /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_$wait
done`;

/** Connections by the hundred thousand: their ports come back at once, and no path remembers how fast another one was. */
const PEER_SYSCTLS = `
cd /proc/sys/net/ipv4
echo '1024 65535' > ip_local_port_range
echo 2048 > tcp_max_tw_buckets
echo 1 > tcp_no_metrics_save`;

/** proc(5): user and system time of a process, in hundredths of a second. */
function cpuSeconds(pid) {
  if (readlinkSync('/proc/self') !== `${process.pid}`) return 0;
  const columns = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(columns[11]) + Number(columns[12])) / 100;
}

/** By thread of a process, the nanoseconds that it has had of CPUs; empty where nobody's CPU is told. */
function threadTimes(pid) {
  if (readlinkSync('/proc/self') !== `${process.pid}`) return new Map();
  return new Map(readdirSync(`/proc/${pid}/task`).map((thread) => [thread, timeOf(`/proc/${pid}/task/${thread}`)]));
}

/** 0 of a thread that has ended meanwhile, as those do that run another program. */
function timeOf(thread) {
  try {
    return Number(readFileSync(`${thread}/schedstat`, 'latin1').split(' ')[0]);
  } catch {
    return 0;
  }
}

/** What all threads have had but the two that have most: packet thread and main thread; between two looks at them. */
function compilerShare(before, now) {
  const had = [...now].map(([thread, time]) => Math.max(0, time - (before.get(thread) ?? 0))).toSorted((a, b) => b - a);
  const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);
  return sum(had.slice(2)) / Math.max(1, sum(had));
}

function nginxConfiguration(at) {
  return `
daemon off; user root; worker_processes 1; pid ${at('pid')}; error_log ${at('log')} crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${at('body')}; proxy_temp_path ${at('proxy')}; fastcgi_temp_path ${at('fastcgi')};
  uwsgi_temp_path ${at('uwsgi')}; scgi_temp_path ${at('scgi')};
  ssl_session_cache off; ssl_session_tickets off;
${Object.entries(NGINX)
  .map(
    ([version, { port }]) => `  server {
    listen ${port} ssl; ssl_protocols TLSv${version};
    ssl_certificate ${at(`${version}.crt`)}; ssl_certificate_key ${at(`${version}.key`)};
    return 204;
  }`,
  )
  .join('\n')}
}`;
}

const WARM_UP = {
  /** `calm`: visits in a row in which V8 had next to nothing to compile any more. */
  long: { handshakes: 12_000, longestMs: 60_000, calm: 3 },
  short: { handshakes: 12_000, longestMs: 20_000, calm: 0 },
  /** The share of a warm engine's CPU that V8's helpers have: they collect garbage as well. */
  compiling: 0.1,
  pace: { seconds: 1, warm: 0 },
  visit: (lab, pace) => lab.visit('handshake', { atOnce: 64, ...pace }),
};
