/**
 * What operators read when the kernel refuses something about a queue: operation, queue, errno, and the cure where one
 * is known. Knows errnos and sentences, no sockets.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  /** Such as `EPERM`. */
  readonly code: string;
  readonly errno: number;
  /** Such as `bind`. */
  readonly operation: string;

  constructor(operation: string, subject: string, options: { errno: number; cure?: string; cause?: unknown }) {
    const code = errnoName(options.errno);
    const cure = options.cure ?? CURES.get(options.errno);
    super(`netlink ${operation}: ${subject}: ${code}${cure === undefined ? '' : ` (${cure})`}`, {
      cause: options.cause,
    });
    this.code = code;
    this.errno = options.errno;
    this.operation = operation;
  }
}

/** As netlink's manual pages spell it: libuv knows EOPNOTSUPP, the same number, as ENOTSUP. */
function errnoName(number: number): string {
  return number === errno.EOPNOTSUPP ? 'EOPNOTSUPP' : getSystemErrorName(-number);
}

const { errno } = constants;
const CURES = new Map<number, string>([
  [errno.EPERM, 'needs CAP_NET_ADMIN in the user namespace that owns this network namespace'],
  [errno.EPROTONOSUPPORT, 'the kernel has no NETFILTER_NETLINK: modprobe nfnetlink'],
  [errno.EINVAL, 'the kernel has no NETFILTER_NETLINK_QUEUE: modprobe nfnetlink_queue'],
  [errno.ENOBUFS, 'the receive buffer ran over and packets were lost: raise its size or the number of queues'],
]);
