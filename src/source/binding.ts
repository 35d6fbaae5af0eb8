/** What of the native addon is not a queue: the process's own privileges, sockets and descriptors. */
export {
  CAP_NET_ADMIN,
  loadBinding,
  type NativeBinding,
  type NativeQueueOptions,
  type PeerCredentials,
  SET,
  VERDICT,
} from 'node-nfqueue/binding';
