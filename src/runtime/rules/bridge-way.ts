/**
 * The way of probes over a bridge: a device of the engine's (runtime/probing/tunnel.ts), by which they leave and are answered.
 * What the printed rules do goes by that device and by no mark, so it is nobody else's packet: with no such device they fit
 * nothing. Owns the names; routes, and what leads to them, are the engine's to make once a bridge is met with.
 *
 *   61  coming by the device                                  ─▶ table 7470: local
 *   62  leaving by the device                                 ─▶ table 7469: the device
 *   63  marked, and whence what the device takes in may come  ─▶ table 7469
 *
 * By 63 a source is asked for (rp_filter), as if this host were to answer: with the mark that the printed rules give to what
 * comes by the device, and the type of service that the engine gives it, which nothing else has.
 */
export const BRIDGE_DEVICE = 'tlspin0';
export const BRIDGE_TABLES = { over: 7469, from: 7470 } as const;
export const BRIDGE_PRIORITIES = { from: 61, over: 62, source: 63 } as const;

const { from, over, source } = BRIDGE_PRIORITIES;
const RULES: readonly string[] = [
  `${from} lookup ${BRIDGE_TABLES.from}`,
  `${over} lookup ${BRIDGE_TABLES.over}`,
  `${source} lookup ${BRIDGE_TABLES.over}`,
];

/** With the printed rules those go that the engine has put in place, for one that runs still until it needs them again. */
export const UNBRIDGE = String.raw`# unbridge FAMILY: nothing leads to the device of probes over bridges any more.
unbridge() {
  command -v ip >/dev/null || return 0
  for rule in ${RULES.map((rule) => `'${rule}'`).join(' ')}; do
    while ip "$1" rule del pref $rule 2>/dev/null; do :; done
  done
}
`;
