/*
 * The messages of nfnetlink_queue, as octets: what the kernel sends is decoded, what it is sent is encoded. Layouts are
 * those of linux/netfilter/nfnetlink_queue.h and linux/netlink.h; every attribute is checked against the octets that
 * are there. Pure functions: no sockets, no Node, no allocation, no state, so that a plain C test and a fuzzer reach
 * everything.
 */
#ifndef TLSPIN_NFQNL_H
#define TLSPIN_NFQNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of nfqnl_packet.flags: the same values as FLAG in src/packet/batch.ts. */
#define NFQNL_FLAG_GSO 0x1u
#define NFQNL_FLAG_CSUM_NOT_READY 0x2u
#define NFQNL_FLAG_TRUNCATED 0x4u
#define NFQNL_FLAG_HAS_CONNMARK 0x8u
#define NFQNL_FLAG_CT_REPLY 0x10u

/* Of a link-layer address that is told: as many as Ethernet's has. Longer ones are not told. */
#define NFQNL_LINK_OCTETS 6u

/* NFQNL_MSG_PACKET, in host byte order. */
struct nfqnl_packet {
	uint32_t packet_id;
	uint32_t offset; /* of the IP header, from the start of the buffer that was decoded */
	uint32_t length; /* octets of the packet that are there */
	uint32_t original_length;
	uint32_t mark;
	uint32_t connmark;
	uint32_t ctid; /* CTA_ID; 0 when the kernel does not tell */
	uint32_t hook;
	uint32_t in_ifindex;
	uint32_t out_ifindex;
	uint32_t phys_out_ifindex; /* the port by which a bridge sends it on; 0 where none does */
	uint8_t in_link[NFQNL_LINK_OCTETS]; /* the sender's address on the link; zeros where it has none */
	uint32_t flags;
};

enum nfqnl_kind {
	NFQNL_KIND_END, /* nothing (more) in the buffer */
	NFQNL_KIND_PACKET,
	NFQNL_KIND_ERROR, /* NLMSG_ERROR: an answer; error 0 is an acknowledgement */
	NFQNL_KIND_OTHER, /* a message of no concern here */
	NFQNL_KIND_MALFORMED, /* lengths that do not fit: the rest of the buffer is not read */
};

struct nfqnl_message {
	enum nfqnl_kind kind;
	uint32_t sequence;
	int error; /* a positive errno, or 0; of NFQNL_KIND_ERROR */
	struct nfqnl_packet packet; /* of NFQNL_KIND_PACKET */
};

/*
 * Decodes the message at *at and moves *at behind it. A packet message that is broken behind its packet id is still a
 * packet, without octets and with the truncated flag: the kernel waits for its verdict.
 */
void nfqnl_decode(const uint8_t *buffer, size_t length, size_t *at, struct nfqnl_message *out);

/* Bits of nfqnl_verdict.fields. */
#define NFQNL_SET_MARK 0x1u
#define NFQNL_SET_CONNMARK 0x2u
#define NFQNL_SET_PAYLOAD 0x4u

/* The largest payload that a netlink attribute carries (its length has 16 bits and counts its own header). */
#define NFQNL_PAYLOAD_MAX (0xffffu - 4u)

/* Room that any verdict message fits into. */
#define NFQNL_VERDICT_ROOM (0x10000u + 128u)

struct nfqnl_verdict {
	uint32_t packet_id;
	uint32_t verdict; /* NF_DROP, NF_ACCEPT or NF_REPEAT */
	uint32_t fields;
	uint32_t mark;
	uint32_t connmark;
	uint32_t connmark_mask;
	const uint8_t *payload;
	size_t payload_length;
};

/*
 * Encoders write one message to `to` and return its padded length, or 0 when it does not fit into `room`.
 * A replacement that is not at least an IP header long, or longer than an attribute can be, is never sent (an empty
 * NFQA_PAYLOAD has brought kernels down: CVE-2022-36946): such a verdict becomes NF_DROP.
 */
size_t nfqnl_encode_verdict(uint8_t *to, size_t room, uint16_t queue, const struct nfqnl_verdict *verdict);

/* NFQNL_CFG_CMD_BIND or _UNBIND. */
size_t nfqnl_encode_command(uint8_t *to, size_t room, uint16_t queue, uint32_t sequence, bool ack, uint8_t command);

/* NFQNL_COPY_PACKET with the widest range. */
size_t nfqnl_encode_copy_packet(uint8_t *to, size_t room, uint16_t queue, uint32_t sequence, bool ack);

size_t nfqnl_encode_max_length(uint8_t *to, size_t room, uint16_t queue, uint32_t sequence, bool ack, uint32_t packets);

/* NFQA_CFG_F_* bits: those in `mask` become as in `flags`. */
size_t nfqnl_encode_flags(uint8_t *to, size_t room, uint16_t queue, uint32_t sequence, bool ack, uint32_t flags,
			  uint32_t mask);

#endif
