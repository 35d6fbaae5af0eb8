/**
 * Whose a host is: the name that somebody registered, by which unrelated hosts are told apart. There is no list of public
 * suffixes here, so two labels are taken, three where the second looks like a registry's own (`co.uk`): hosts of one
 * registry that are taken for related at worst are not flagged.
 */

/** `www.bank.example:443` → `bank.example`; null for addresses, which nobody can tell apart. */
export function siteOf(host: string): string | null {
  const name = host.replace(/:\d+$/, '');
  if (name.startsWith('[') || /^[\d.]+$/.test(name)) return null;
  const labels = name.split('.');
  const [second, top] = labels.slice(-2);
  const isRegistry = labels.length > 2 && top!.length === 2 && (second!.length <= 2 || REGISTRIES.has(second!));
  return labels.slice(isRegistry ? -3 : -2).join('.');
}

/** Second-level domains under which country registries register. */
const REGISTRIES: ReadonlySet<string> = new Set(
  'com net org edu gov gob gouv mil int info web name biz asn nom ltd plc sch nhs police school govt kommune muni'.split(
    ' ',
  ),
);
