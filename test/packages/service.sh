# The Debian package under a real systemd: installed, taken live, upgraded while connections go on, removed, purged. Sourced,
# behind deb.sh.

try_service() {
  job=$(mktemp -d)
  stub_nodejs
  newer "$1" 98-1 "$job/newer.deb"
  newer "$1" 99-1 "$job/newest.deb"
  cp "$1" "$job/tlspin.deb"
  install_package ./nodejs.deb systemd iptables iproute2 procps conntrack logrotate adduser prometheus
  prepare_service "$job"
  cp "$project/test/packages/service-scenario.sh" "$job/scenario"
  cp "$project/test/packages/going-live.sh" "$job/going-live"
  : >"$job/output"
  bash "$project/test/support/systemd.sh" 1200 "$job" "$(command -v node)" "$project" "$root" || :
  cat "$job/output"
  is "$(grep -c '^ok: ' "$job/output") $(grep -c '^not ok: ' "$job/output")" "$(grep -c "^step '" "$job/scenario") 0"
  node -e "$JUDGE" "$job"
  rm -r "$job"
}

# What servers and clients are told, and the configuration: as `tlspin pin` says it.
prepare_service() {
  for name in genuine forged; do
    openssl req -x509 -nodes -newkey rsa:2048 -subj /CN=www.bank.example -addext subjectAltName=DNS:www.bank.example \
      -days 3 -keyout "$1/$name.key" -out "$1/$name.pem" 2>/dev/null
  done
  node "$project/dist/cli/main.js" pin --json "$1/genuine.pem" >"$1/pinset.json"
  node -e "$PREPARE" "$1"
  # What `systemctl edit` is to add, into where it wants it.
  sed -n '/^```ini$/,/^```$/{/^```/d;p}' "$project/docs/going-live.md" >"$1/edit.ini"
  printf '%s\n' '#!/bin/sh' 'sed -i "/^### Anything between/r /opt/job/edit.ini" "$1"' >"$1/editor"
  chmod 755 "$1/editor"
  printf '%s\n' 'global: { scrape_interval: 1s, evaluation_interval: 1s }' >"$1/prometheus.yml"
  sed -n '/^```yaml$/,/^```$/{/^```/d;p}' "$project/docs/metrics.md" >>"$1/prometheus.yml"
}

PREPARE='
const { readFileSync, writeFileSync } = require("node:fs");
const directory = process.argv[1];
const write = (name, value) => writeFileSync(`${directory}/${name}`, JSON.stringify(value));
const pinset = JSON.parse(readFileSync(`${directory}/pinset.json`, "utf8"));
const host = "10.9.2.2";
const servername = "www.bank.example";
const configuration = (mode) => ({
  version: 1,
  user: "tlspin",
  control: { socket: "/run/tlspin/tlspin.sock" },
  metrics: { listen: "127.0.0.1:9477" },
  ports: [443, 8443, 9443],
  pinsets: [{ ...pinset, mode, match: { hosts: [servername] } }],
});
write("good.json", configuration("enforce"));
write("report.json", configuration("report-only"));
writeFileSync(`${directory}/pin`, [pinset.pins[0].pin ?? pinset.pins[0]].join());
const identity = (name) => ({ cert: `/opt/job/${name}.pem`, key: `/opt/job/${name}.key` });
write("genuine.arg", { ...identity("genuine"), port: 443, maxVersion: "TLSv1.3" });
write("forged.arg", { ...identity("forged"), port: 8443, maxVersion: "TLSv1.3" });
write("echo.arg", { ...identity("genuine"), port: 9443 });
write("client.arg", { host, port: 9443, servername, ca: "/opt/job/genuine.pem", maxVersion: "TLSv1.2" });
const kinds = [
  { kind: "genuine", port: 443, servername, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" },
  { kind: "genuine", port: 443, servername, minVersion: "TLSv1.3" },
  { kind: "forged", port: 8443, servername },
  { kind: "unpinned", port: 443, servername: "www.shop.example" },
];
for (const visited of ["genuine", "forged"]) {
  const only = kinds.filter(({ kind }) => kind === visited);
  write(`visit-${visited}.arg`, { host, kinds: only, perSecond: 10, seconds: 0.4, timeout: 15000 });
}
const unjudged = kinds.map((kind) => ({ ...kind, kind: "any" }));
write("after.arg", { host, kinds: unjudged, perSecond: 10, seconds: 1, timeout: 15000 });
write("load.arg", { host, kinds, perSecond: 25, seconds: 20, timeout: 15000 });
'

# Nothing forged is delivered; few of the others fail, and the one that was open has not noticed.
JUDGE='
const { readFileSync } = require("node:fs");
const directory = process.argv[1];
const outcomes = JSON.parse(readFileSync(`${directory}/load.json`, "utf8"));
const forged = outcomes.filter(({ kind }) => kind === "forged");
const honest = outcomes.filter(({ kind }) => kind !== "forged");
const failed = honest.filter(({ bytes }) => bytes === 0);
const longest = Math.max(...honest.map(({ millis }) => millis));
const echo = readFileSync(`${directory}/echo`, "utf8").replaceAll("\n", " ");
console.log(`an upgrade among ${outcomes.length} connections: ${failed.length} of ${honest.length} honest ones failed, the longest took ${longest} ms; an open one: ${echo}ms`);
const isFine = forged.length > 0 && forged.every(({ bytes }) => bytes === 0) && failed.length < honest.length / 10 && /^echo longest \d+ $/.test(echo);
process.exit(isFine ? 0 : 1);
'
