# Sourced by service-scenario.sh: docs/going-live.md, as a stranger follows it who has the Debian package, up to where it is enforced;
# then something breaks, and is told of by health, the log, and an alert of Debian's own Prometheus.
visit() { peer client tls-load "visit-$1" >/tmp/visit; }
passes() { visit "$1"; fails grep '"bytes":0' /tmp/visit; }
is_refused() { visit "$1"; fails grep '"bytes":[1-9]' /tmp/visit; }
configure() { install -m 0640 -g tlspin "/opt/job/$1.json" /etc/tlspin/tlspin.json; }
health_says() { tlspin health >/tmp/health || :; grep -- "$1" /tmp/health; }
prometheus_has() { [ -n "$(promtool query instant http://127.0.0.1:9090 "$1")" ]; }
has_not() { fails prometheus_has "$1"; }

shows_pins() {
  network
  echo '10.9.2.2 www.bank.example' >>/etc/hosts
  tlspin pin www.bank.example >/tmp/pins
  grep -F "$(cat /opt/job/pin)" /tmp/pins
}
reports() {
  configure report
  tlspin check /etc/tlspin/tlspin.json
  # What is to be added is taken from the documentation; a terminal is wanted.
  SYSTEMD_EDITOR=/opt/job/editor script -qec 'systemctl edit tlspin-rules' /dev/null
  systemctl enable --now tlspin tlspin-rules
  is_active
  chains tlspin | grep -- --queue-bypass
  until_true health_says pinset.report-only
  until_true is_degraded_by_that_alone
  passes genuine
  passes forged
}
is_degraded_by_that_alone() {
  health_says degraded
  fails grep -E '(rules|queue|marks|probe|log)\.' /tmp/health
}
needs_no_engine() {
  systemctl stop tlspin
  passes genuine
  systemctl start tlspin
  until_true is_degraded_by_that_alone
}
says_what_it_had_refused() {
  tlspin ctl verdicts --denied >/tmp/denied
  tlspin why www.bank.example --since 24h >/tmp/why
  tlspin audit -c /etc/tlspin/tlspin.json >/tmp/audit || :
  cat /tmp/denied /tmp/why /tmp/audit
  grep would /tmp/denied
  grep 'satisfies no pin' /tmp/why
  grep www.bank.example /tmp/audit
}
is_scraped() {
  cp /opt/job/prometheus.yml /etc/prometheus/prometheus.yml
  promtool check config /etc/prometheus/prometheus.yml
  # Whose root is another one than its namespace's may have no namespace of users.
  mkdir -p /etc/systemd/system/prometheus.service.d
  printf '%s\n' '[Service]' 'PrivateUsers=no' >/etc/systemd/system/prometheus.service.d/users.conf
  systemctl daemon-reload
  systemctl restart prometheus
  until_true prometheus_has 'up{job="tlspin"} == 1'
  until_true prometheus_has 'tlspin_protection_state{state="degraded"} == 1'
  /opt/node -e "$NAMES" >/tmp/names
  grep -ohE 'tlspin_[a-z_]+' /opt/tlspin/packaging/grafana/tlspin.json | sed -E 's/_(bucket|count|sum)$//' | sort -u >/tmp/wanted
  [ -s /tmp/wanted ]
  fails grep -vxFf /tmp/names /tmp/wanted
}
NAMES='
fetch("http://127.0.0.1:9090/api/v1/metadata")
  .then((answer) => answer.json())
  .then(({ data }) => console.log(Object.keys(data).join("\n")));
'
enforces() {
  passes forged
  configure good
  tlspin ctl reload --dry-run | tee /tmp/dry
  grep 'would deny [1-9]' /tmp/dry
  systemctl revert tlspin-rules
  systemctl reload tlspin
  systemctl reload tlspin-rules
  fails grep -- --queue-bypass <(chains tlspin)
  protects
  passes genuine
  is_refused forged
  tlspin ctl verdicts --denied | grep -E '(pin|probe)-mismatch'
}
breaks() {
  for family in iptables ip6tables; do $family-save | grep -v tlspin | $family-restore; done
  until_true health_says rules.none
  until_true grep rules.none /var/log/tlspin/tlspin.json
  until_true prometheus_has 'ALERTS{alertname="TlspinRulesNone",alertstate="firing"}'
  systemctl reload tlspin-rules
  protects
  until_true has_not 'ALERTS{alertname="TlspinRulesNone"}'
}
finds_out() {
  echo '#' >>/etc/logrotate.conf
  logrotate --force /etc/logrotate.d/tlspin
  yesterday=$(date -u -d yesterday +%F)
  sed -i "s/$(date -u +%F)T/${yesterday}T/g" /var/log/tlspin/tlspin.json.1
  passes genuine
  until_true [ -s /var/log/tlspin/tlspin.json ]
  logrotate --force /etc/logrotate.d/tlspin
  [ -s /var/log/tlspin/tlspin.json.2.gz ]
  tlspin why www.bank.example --since 48h | tee /tmp/why
  grep "$yesterday" /tmp/why
  is_active
}
