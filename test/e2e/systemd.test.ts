/** The units under a real systemd: what loads the rules, starts, reloads, watches and ends the engine, and what fails closed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { ROOT } from '../support/built.ts';

/** What is no first process here, for want of privileges, is tried where somebody has them. */
const canBoot =
  process.geteuid!() === 0 &&
  spawnSync('sh', [
    '-c',
    'd=$(awk \'$3 == "cgroup2" { print $2; exit }\' /proc/mounts)/tlspin-try; mkdir $d && rmdir $d',
  ]).status === 0 &&
  spawnSync('test', ['-x', '/lib/systemd/systemd']).status === 0;

it.skipIf(!canBoot)(
  'the units load the rules, run the engine, and fail closed',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'tlspin-systemd-'));
    try {
      writeFileSync(join(directory, 'scenario'), SCENARIO);
      writeFileSync(join(directory, 'good.json'), JSON.stringify({ version: 1, pinsets: [BANK] }));
      writeFileSync(join(directory, 'output'), '');
      const machine = spawnSync('timeout', ['-k', '10', '150', 'bash', `${ROOT}test/support/systemd.sh`, directory, process.execPath, ROOT], { encoding: 'utf8' }); // prettier-ignore
      const output = readFileSync(join(directory, 'output'), 'utf8');
      const told = [...output.matchAll(/^(not ok|ok): (.*)$/gm)].map(([line]) => line);
      expect(told, `${output}\n${machine.stderr}`).toEqual(STEPS.map((step) => `ok: ${step}`));
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
  180_000,
);

const BANK = {
  name: 'bank',
  match: { hosts: ['www.bank.example'] },
  pins: [`sha256//${'A'.repeat(43)}=`, `sha256//${'B'.repeat(42)}A=`],
};

const STEPS = [
  'a broken configuration fails, and closes',
  'its mending loads the rules',
  'the engine starts, and says so',
  'its directories are its own',
  'it has one capability, and no other',
  'it reads what the kernel counts',
  'it protects',
  'reloads',
  'a reload of what is broken fails, and changes nothing',
  'is killed and started again where it hangs',
  'stops, and the rules stay',
  'the rules go when they are told to',
];

const SCENARIO = String.raw`
step() {
  local name=$1
  shift
  if ( set -e; "$@" ) >/tmp/said 2>&1; then echo "ok: $name"; else echo "not ok: $name"; cat /tmp/said; journalctl -b -n 15 --no-pager -o cat -u tlspin -u tlspin-rules; fi
}
good() { install -m 0640 -g tlspin /opt/job/good.json /etc/tlspin/tlspin.json; }
broken() { echo '{' >/etc/tlspin/tlspin.json; }
chains() { iptables-save | grep -- "-A .*$1"; }
fails() { if "$@"; then return 1; fi; }
until_true() { for i in $(seq 300); do if "$@"; then return 0; fi; sleep 0.1; done; return 1; }
main() { systemctl show -P MainPID tlspin; }

closes() {
  broken
  fails systemctl start tlspin-rules
  systemctl is-failed tlspin-rules
  chains 'FORWARD -j tlspin-closed'
  chains 'tlspin-closed -j DROP'
}
mends() {
  good
  systemctl start tlspin-rules
  chains NFQUEUE
  fails chains tlspin-closed
}
starts() {
  systemctl start tlspin
  systemctl is-active tlspin
  [ "$(systemctl show -P StatusText tlspin)" = '1 queues, 1 pinsets' ]
}
directories() {
  for each in run/tlspin var/lib/tlspin var/log/tlspin; do [ "$(stat -c '%U %a' /$each)" = 'tlspin 750' ]; done
  [ "$(stat -c '%U %a' /var/log/tlspin/tlspin.json)" = 'tlspin 640' ]
  [ "$(ps -o user= -p "$(main)")" = tlspin ]
}
capabilities() {
  for each in Prm Eff Amb; do grep "^Cap$each:.0000000000001000$" "/proc/$(main)/status"; done
  grep '^NoNewPrivs:.1$' "/proc/$(main)/status"
}
counts() { tlspin ctl status --json --control /run/tlspin/tlspin.sock | grep -q '"id_sequence"'; }
is_protected() { tlspin health --control /run/tlspin/tlspin.sock; }
protects() { until_true is_protected; }
reloads() {
  systemctl reload tlspin
  [ "$(systemctl is-active tlspin)" = active ]
}
refuses() {
  before=$(main)
  broken
  fails systemctl reload tlspin
  good
  [ "$(systemctl is-active tlspin)" = active ] && [ "$(main)" = "$before" ]
}
is_another() { now=$(main); [ "$now" != 0 ] && [ "$now" != "$1" ] && [ "$(systemctl is-active tlspin)" = active ]; }
watches() {
  before=$(main)
  mkdir -p /run/systemd/system/tlspin.service.d
  printf '[Service]\nWatchdogSec=3\n' >/run/systemd/system/tlspin.service.d/soon.conf
  systemctl daemon-reload
  systemctl restart tlspin
  before=$(main)
  sleep 5
  [ "$(main)" = "$before" ]
  kill -STOP "$before"
  until_true is_another "$before"
  journalctl -b -u tlspin -o cat | grep -i watchdog
}
stops() {
  systemctl stop tlspin
  [ ! -s /proc/net/netfilter/nfnetlink_queue ]
  tail -n 1 /var/log/tlspin/tlspin.json | grep '"event_type":"stop"'
  chains NFQUEUE
}
goes() {
  systemctl stop tlspin-rules
  fails chains tlspin
}

step 'a broken configuration fails, and closes' closes
step 'its mending loads the rules' mends
step 'the engine starts, and says so' starts
step 'its directories are its own' directories
step 'it has one capability, and no other' capabilities
step 'it reads what the kernel counts' counts
step 'it protects' protects
step 'reloads' reloads
step 'a reload of what is broken fails, and changes nothing' refuses
step 'is killed and started again where it hangs' watches
step 'stops, and the rules stay' stops
step 'the rules go when they are told to' goes
`;
