/** The fleet for the console: gateways and versions, as `tlspin fleet status` and `history` say them. Changes nothing. */
import type { OpenedDocument } from '../../fleet/documents.ts';
import type { FleetVersion, FleetView } from '../../web/api.ts';
import { type Session, withSession } from '../fleet/session.ts';

/** Rejects with a sentence where no server can be reached in time. */
export async function fleetView(file: string, policy: Session['policy']): Promise<FleetView> {
  const { gateways, history, isPresent } = await import('../../fleet/publisher.ts');
  return withSession(file, policy, undefined, async (session) => {
    const [all, documents] = [await gateways(session), await history(session)];
    const versions = documents.map(versionOf).reverse();
    return {
      name: session.name,
      latest: versions.find(({ canary }) => canary === null) ?? null,
      gateways: all.slice(0, MOST).map((each) => ({
        ...{ gateway: each.gateway, software: each.software },
        ...{ heard: each.heard.toISOString(), present: isPresent(each) },
        running: each.running && {
          ...{ version: each.running.version, since: isoOf(each.running.since), digest: each.running.digest },
          report_only: each.running.isReportOnly,
        },
        refused: each.refused && { ...each.refused, at: isoOf(each.refused.at) },
      })),
      history: versions.slice(0, MOST),
    };
  });
}

function versionOf({ terms, digest, content }: OpenedDocument): FleetVersion {
  const { version, pushed, by, expires, canary, isReportOnly, restores } = terms;
  return {
    ...{ version, pushed: isoOf(pushed), by, file: content.file, expires: isoOf(expires), digest },
    ...{ canary, report_only: isReportOnly, restores },
  };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

const MOST = 1_000;
