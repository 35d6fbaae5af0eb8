/**
 * One client at one server over one version of TLS. Where the genuine page does not come through the gateway, the same
 * client asks beside the server: what fails there too is no matter of tlspin's.
 */
import type { Client } from './clients.ts';
import type { Face, Place, Side } from './place.ts';
import type { Server } from './servers.ts';

export interface Cell {
  /** `none`: the two do not talk over this version without tlspin either. */
  readonly genuine: 'passes' | 'none' | 'denied';
  /** Something of the page behind the forged certificate reached the client. */
  readonly forged: 'stopped' | 'DELIVERED';
  /** What became of sessions that were resumed; undefined where none was. */
  readonly resumed: 'passes' | 'denied' | undefined;
  /** Verdicts against a genuine server. */
  readonly denials: readonly string[];
  /** The client's word for it where it did not get the genuine page. */
  readonly said: string;
}

export type Faces = Readonly<Record<Side, Face>>;

export async function playPair(place: Place, client: Client, server: Server, faces: Faces): Promise<Cell> {
  const { got, verdicts } = await place.ask(client.ask, faces.genuine);
  // A client that goes away in the midst of a handshake is denied nothing.
  const denied = verdicts.filter(({ verdict: { action, reason } }) => action !== 'accept' && reason !== 'incomplete');
  const denials = denied.map(({ verdict: { reason, fault } }) =>
    fault === undefined ? reason : `${reason} (${fault})`,
  );
  const isGot = has(client, server, got, 'genuine');
  const isDenied = denied.length > 0 || !isGot;
  const beside = isDenied ? (await place.ask(client.ask, faces.genuine, 'server')).got : got;
  const speaks = has(client, server, beside, 'genuine');
  const resumptions = verdicts.filter(({ tls }) => tls?.session_resumed === true);
  const forged = await place.ask(client.ask, faces.forged);
  return {
    genuine: !speaks ? 'none' : isDenied ? 'denied' : 'passes',
    forged: has(client, server, forged.got, 'forged') ? 'DELIVERED' : 'stopped',
    resumed:
      resumptions.length === 0 ? undefined : resumptions.some((each) => denied.includes(each)) ? 'denied' : 'passes',
    denials: speaks && isDenied ? [...new Set(denials.length === 0 ? ['no page'] : denials)] : [],
    said: isDenied ? wordOf(speaks ? got : beside) : '',
  };
}

/** Whether what a client got is the page of this side. */
export function has(client: Client, server: Server, got: string, side: Side): boolean {
  const shown = client.got ?? server.page ?? new RegExp(`the ${side} page`);
  return shown.test(got);
}

function wordOf(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.trimStart().startsWith('... '));
  return (lines.find((line) => /exception|error|alert/i.test(line)) ?? lines.at(-1) ?? '').trim().slice(0, 200);
}
