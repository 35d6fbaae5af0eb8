/**
 * The configuration of conntrackd for one gateway of a failover pair, as text: what the kernel tracks here, marks and all,
 * is tracked by the other one's kernel a moment later, so that what was accepted here goes on there. Applies nothing.
 */
import type { PairPolicy } from '../../pins/policy.ts';

export interface ConntrackdOptions {
  /** Datagrams are decided about as well. */
  readonly datagrams: boolean;
}

export function renderConntrackd({ device, address, peer }: PairPolicy, { datagrams }: ConntrackdOptions): string {
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  return `# /etc/conntrackd/conntrackd.conf, of tlspin: connections that were accepted here go on at ${peer}, and those there here.
# Whoever can send datagrams to ${address} port ${PORT} can have any connection accepted: the link has to be of the two alone.
Sync {
  Mode FTFW {
    # In the kernel of the other one at once: nothing has to be done when it takes over.
    DisableExternalCache yes
    # What the other one has when this one comes back.
    StartupResync yes
  }
  UDP {
    ${family}_address ${address}
    ${family}_Destination_Address ${peer}
    Port ${PORT}
    Interface ${device}
    SndSocketBuffer 1249280
    RcvSocketBuffer 1249280
    Checksum on
  }
}
General {
  HashSize 32768
  HashLimit 262144
  Syslog on
  LockFile /var/lock/conntrackd.lock
  UNIX {
    Path /var/run/conntrackd.ctl
  }
  NetlinkBufferSize 2097152
  NetlinkBufferSizeMaxGrowth 8388608
  # Rather a connection begins late than that the other one does not hear of it.
  NetlinkEventsReliable yes
  Filter From Kernelspace {
    Protocol Accept {
      TCP${datagrams ? '\n      UDP' : ''}
    }
    # What this host itself says and hears. Add its own addresses in the networks of clients and of servers.
    Address Ignore {
      IPv4_address 127.0.0.1
      IPv6_address ::1
      ${family}_address ${address}
      ${family}_address ${peer}
    }
  }
}
`;
}

/** conntrackd's own. */
const PORT = 3780;
