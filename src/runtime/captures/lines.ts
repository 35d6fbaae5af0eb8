/** The records of one capture as lines of the log, in the order of their stages. */
import { CertificateEntries } from '../../report/certificate-entry.ts';
import { eveLine } from '../../report/eve-line.ts';
import type { Policy } from '../../pins/policy.ts';
import { describeCertificate } from '../../x509/certificate.ts';
import { presentCertificate } from '../../x509/presented.ts';
import type { LoggedEvent } from '../../judge/events.ts';

/** Makes lines of events of captures that are called `pcapFilename`. */
export function lineMaker(policy: Policy): (event: LoggedEvent, pcapFilename: string) => string {
  const readers = { present: presentCertificate, describe: describeCertificate };
  const certificates = new CertificateEntries(readers, policy.log.certificates);
  return (event, pcapFilename) => eveLine(event, { certificates, pcapFilename });
}
