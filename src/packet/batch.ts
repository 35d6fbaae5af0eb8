/** The form in which packets reach the engine, whatever delivers them: the kernel queue's own, so that nothing is copied. */
export { FIELD, FLAG, HOOK, NF_ACCEPT, NF_DROP, NF_REPEAT, type PacketBatch } from 'node-nfqueue/batch';
