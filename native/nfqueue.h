/*
 * One netfilter queue: an AF_NETLINK socket, its place in a libuv loop, receiving into memory that others own and
 * sending verdicts. Knows nothing of Node-API; one instance belongs to one thread.
 */
#ifndef TLSPIN_NFQUEUE_H
#define TLSPIN_NFQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Columns of a packet's row: the same numbers as FIELD in src/packet/batch.ts. */
enum {
	ROW_PACKET_ID,
	ROW_OFFSET,
	ROW_LENGTH,
	ROW_MARK,
	ROW_CONNMARK,
	ROW_CTID,
	ROW_HOOK,
	ROW_IN_IFINDEX,
	ROW_OUT_IFINDEX,
	ROW_FLAGS,
	ROW_TIME_SECONDS, /* times are for whoever takes the batch to fill in */
	ROW_TIME_MICROS,
	ROW_ORIGINAL_LENGTH,
	ROW_FRAME,
	ROW_IN_LINK_HIGH, /* the first two octets of the address */
	ROW_IN_LINK_LOW, /* the four others */
	ROW_PHYS_OUT_IFINDEX,
	ROW_WORDS = 17,
};

/* Columns of a verdict's row: the same numbers as VERDICT in src/source/binding.ts. */
enum {
	VERDICT_PACKET_ID,
	VERDICT_VERDICT,
	VERDICT_FIELDS, /* NFQNL_SET_* */
	VERDICT_MARK,
	VERDICT_CONNMARK,
	VERDICT_CONNMARK_MASK,
	VERDICT_PAYLOAD_OFFSET,
	VERDICT_PAYLOAD_LENGTH,
	VERDICT_WORDS,
};

/* Octets of the slab for one message: a payload attribute, at most 64 KiB, and everything that may stand around it. */
#define NFQUEUE_SLOT (0x10000u + 0x1000u)

struct nfqueue_options {
	uint16_t queue_num;
	uint32_t max_length; /* packets that the kernel keeps before it loses some */
	uint32_t receive_buffer; /* octets */
	bool fail_open;
	bool gso; /* packets that segmentation offload merged come whole */
	bool conntrack; /* ask for NFQA_CT; whether it is granted is in nfqueue.conntrack */
	int handed; /* -1, or the socket of another process, bound and configured, `conntrack` being what it was granted */
	uint8_t *slab; /* slots * NFQUEUE_SLOT octets */
	uint32_t *rows; /* slots * ROW_WORDS words */
	uint32_t slots;
};

struct nfqueue_counters {
	uint64_t received;
	uint64_t enobufs;
	uint64_t verdict_errors;
	uint64_t malformed;
};

struct nfqueue {
	struct nfqueue_options options;
	struct nfqueue_counters counters;
	uv_poll_t poll;
	int fd; /* -1 when closed */
	bool conntrack;
	uint32_t receive_buffer; /* octets that the kernel granted */
	uint32_t sequence;
	size_t send_room;
	uint8_t *send_buffer;
	void *vectors; /* mmsghdr, iovec and address of each slot */

	/* `count` rows are filled; they and the slab are overwritten once this returns. May close the queue. */
	void (*on_batch)(struct nfqueue *queue, uint32_t count);
	/* ENOBUFS, or what made receiving impossible (the queue is then no longer polled). May close the queue. */
	void (*on_error)(struct nfqueue *queue, int error);
	/* The last call: memory may be freed. */
	void (*on_closed)(struct nfqueue *queue);
	void *owner;
};

/*
 * Opens, binds and configures; 0, or an errno with *operation saying what failed. After a failure nothing stays open
 * and on_closed is not called.
 */
int nfqueue_open(struct nfqueue *queue, uv_loop_t *loop, const struct nfqueue_options *options, const char **operation);

/*
 * Sends `count` verdict rows in as few system calls as the socket's buffer allows. Returns how many rows the kernel
 * took; fewer than `count` only with *error set.
 */
uint32_t nfqueue_send(struct nfqueue *queue, const uint32_t *rows, uint32_t count, const uint8_t *payload,
		      size_t payload_length, int *error);

/* Reads no more; what comes waits in the socket. Reads on. */
void nfqueue_pause(struct nfqueue *queue);
void nfqueue_resume(struct nfqueue *queue);

/* Unbinds at once, unless another process has the socket too (the kernel drops what is queued); on_closed follows from the loop. */
void nfqueue_close(struct nfqueue *queue);

#endif
