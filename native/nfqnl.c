/*
 * Encoding and decoding of nfnetlink_queue messages: see nfqnl.h. Integers inside attributes are in network byte order,
 * netlink's own headers in the host's. Octets are read and written with memcpy, whatever their alignment.
 */
#include "nfqnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

/* enum ip_conntrack_info (linux/netfilter/nf_conntrack_common.h, whose header clashes with others). */
#define CT_ESTABLISHED_REPLY 3u
#define CT_RELATED_REPLY 4u

/* One attribute; `value` points into the message. */
struct attribute {
	uint16_t type;
	const uint8_t *value;
	size_t length;
};

/* Octets that remain to be walked. `ok` turns false for good at the first attribute that does not fit. */
struct attributes {
	const uint8_t *at;
	size_t left;
	bool ok;
};

static bool next_attribute(struct attributes *walk, struct attribute *out)
{
	struct nlattr header;
	if (walk->left == 0 || !walk->ok)
		return false;
	if (walk->left < sizeof header) {
		walk->ok = false;
		return false;
	}
	memcpy(&header, walk->at, sizeof header);
	if (header.nla_len < sizeof header || header.nla_len > walk->left) {
		walk->ok = false;
		return false;
	}
	out->type = header.nla_type & NLA_TYPE_MASK;
	out->value = walk->at + sizeof header;
	out->length = header.nla_len - sizeof header;
	size_t step = NLA_ALIGN(header.nla_len);
	if (step > walk->left)
		step = walk->left; /* the last attribute's padding may be missing */
	walk->at += step;
	walk->left -= step;
	return true;
}

static bool read_be32(const struct attribute *attribute, uint32_t *out)
{
	uint32_t value;
	if (attribute->length != sizeof value)
		return false;
	memcpy(&value, attribute->value, sizeof value);
	*out = ntohl(value);
	return true;
}

/* NFQA_CT: a connection that is there has a mark, which the kernel leaves out while it is 0. */
static bool decode_conntrack(const struct attribute *nest, struct nfqnl_packet *packet)
{
	struct attributes walk = { nest->value, nest->length, true };
	struct attribute attribute;
	while (next_attribute(&walk, &attribute)) {
		if (attribute.type == CTA_MARK && !read_be32(&attribute, &packet->connmark))
			return false;
		if (attribute.type == CTA_ID && !read_be32(&attribute, &packet->ctid))
			return false;
	}
	packet->flags |= NFQNL_FLAG_HAS_CONNMARK;
	return walk.ok;
}

/* NFQA_HWADDR: whoever sent it over the link; there is none where the link has no addresses, as with tunnels. */
static bool decode_link_address(const struct attribute *attribute, struct nfqnl_packet *packet)
{
	struct nfqnl_msg_packet_hw hardware;
	if (attribute->length < sizeof hardware)
		return false;
	memcpy(&hardware, attribute->value, sizeof hardware);
	size_t length = ntohs(hardware.hw_addrlen);
	if (length <= sizeof packet->in_link)
		memcpy(packet->in_link, hardware.hw_addr, length);
	return true;
}

/* Takes one attribute of NFQNL_MSG_PACKET; false when it is not what it should be. */
static bool decode_attribute(const struct attribute *attribute, const uint8_t *buffer, struct nfqnl_packet *packet)
{
	uint32_t value;
	switch (attribute->type) {
	case NFQA_MARK:
		return read_be32(attribute, &packet->mark);
	case NFQA_IFINDEX_INDEV:
		return read_be32(attribute, &packet->in_ifindex);
	case NFQA_IFINDEX_OUTDEV:
		return read_be32(attribute, &packet->out_ifindex);
	case NFQA_IFINDEX_PHYSOUTDEV:
		return read_be32(attribute, &packet->phys_out_ifindex);
	case NFQA_HWADDR:
		return decode_link_address(attribute, packet);
	case NFQA_PAYLOAD:
		packet->offset = (uint32_t)(attribute->value - buffer);
		packet->length = (uint32_t)attribute->length;
		return true;
	case NFQA_CAP_LEN:
		packet->flags |= NFQNL_FLAG_TRUNCATED;
		return read_be32(attribute, &packet->original_length);
	case NFQA_SKB_INFO:
		if (!read_be32(attribute, &value))
			return false;
		if (value & NFQA_SKB_GSO)
			packet->flags |= NFQNL_FLAG_GSO;
		if (value & NFQA_SKB_CSUMNOTREADY)
			packet->flags |= NFQNL_FLAG_CSUM_NOT_READY;
		return true;
	case NFQA_CT:
		return decode_conntrack(attribute, packet);
	case NFQA_CT_INFO:
		if (!read_be32(attribute, &value))
			return false;
		if (value == CT_ESTABLISHED_REPLY || value == CT_RELATED_REPLY)
			packet->flags |= NFQNL_FLAG_CT_REPLY;
		return true;
	default:
		return true; /* attributes of later kernels are passed over */
	}
}

/* The body of NFQNL_MSG_PACKET behind nlmsghdr; false when no packet id was found, so that no verdict can be given. */
static bool decode_packet(const uint8_t *buffer, const uint8_t *body, size_t length, struct nfqnl_packet *packet)
{
	memset(packet, 0, sizeof *packet);
	if (length < sizeof(struct nfgenmsg))
		return false;
	struct attributes walk = { body + NLMSG_ALIGN(sizeof(struct nfgenmsg)), length - sizeof(struct nfgenmsg), true };
	struct attribute attribute;
	bool identified = false;
	bool sound = true;
	while (next_attribute(&walk, &attribute)) {
		if (attribute.type == NFQA_PACKET_HDR) {
			struct nfqnl_msg_packet_hdr header;
			if (attribute.length < sizeof header)
				return false;
			memcpy(&header, attribute.value, sizeof header);
			packet->packet_id = ntohl(header.packet_id);
			packet->hook = header.hook;
			identified = true;
		} else if (!decode_attribute(&attribute, buffer, packet)) {
			sound = false;
		}
	}
	if (!sound || !walk.ok) {
		packet->offset = 0;
		packet->length = 0;
		packet->flags |= NFQNL_FLAG_TRUNCATED;
	}
	if (packet->original_length < packet->length)
		packet->original_length = packet->length;
	return identified;
}

void nfqnl_decode(const uint8_t *buffer, size_t length, size_t *at, struct nfqnl_message *out)
{
	struct nlmsghdr header;
	out->error = 0;
	out->sequence = 0;
	if (*at >= length) {
		out->kind = NFQNL_KIND_END;
		return;
	}
	out->kind = NFQNL_KIND_MALFORMED;
	size_t left = length - *at;
	if (left < sizeof header) {
		*at = length;
		return;
	}
	memcpy(&header, buffer + *at, sizeof header);
	if (header.nlmsg_len < sizeof header || header.nlmsg_len > left) {
		*at = length;
		return;
	}
	const uint8_t *body = buffer + *at + NLMSG_HDRLEN;
	size_t body_length = header.nlmsg_len - NLMSG_HDRLEN;
	size_t step = NLMSG_ALIGN((size_t)header.nlmsg_len);
	*at += step < left ? step : left;
	out->sequence = header.nlmsg_seq;

	if (header.nlmsg_type == NLMSG_ERROR) {
		int32_t error;
		if (body_length < sizeof error)
			return;
		memcpy(&error, body, sizeof error);
		if (error > 0 || error < -4095)
			return; /* MAX_ERRNO */
		out->error = -error;
		out->kind = NFQNL_KIND_ERROR;
	} else if (header.nlmsg_type == ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET)) {
		if (decode_packet(buffer, body, body_length, &out->packet))
			out->kind = NFQNL_KIND_PACKET;
	} else {
		out->kind = NFQNL_KIND_OTHER;
	}
}

/* ---- encoding ---- */

/* A message under construction. `ok` turns false for good when something does not fit. */
struct writer {
	uint8_t *to;
	size_t room;
	size_t length;
	bool ok;
};

static uint8_t *reserve(struct writer *writer, size_t octets)
{
	size_t padded = NLMSG_ALIGN(octets);
	if (!writer->ok || padded > writer->room - writer->length) {
		writer->ok = false;
		return NULL;
	}
	uint8_t *at = writer->to + writer->length;
	memset(at + octets, 0, padded - octets);
	writer->length += padded;
	return at;
}

static void put_attribute(struct writer *writer, uint16_t type, const void *value, size_t length)
{
	struct nlattr header = { .nla_len = (uint16_t)(sizeof header + length), .nla_type = type };
	uint8_t *at = reserve(writer, sizeof header + length);
	if (at == NULL)
		return;
	memcpy(at, &header, sizeof header);
	memcpy(at + sizeof header, value, length);
}

static void put_be32(struct writer *writer, uint16_t type, uint32_t value)
{
	uint32_t big = htonl(value);
	put_attribute(writer, type, &big, sizeof big);
}

static struct writer begin(uint8_t *to, size_t room, uint8_t type, uint16_t queue, uint32_t sequence, bool ack)
{
	struct writer writer = { to, room, 0, true };
	struct nlmsghdr header = {
		.nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (ack ? NLM_F_ACK : 0)),
		.nlmsg_seq = sequence,
	};
	struct nfgenmsg generic = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(queue) };
	uint8_t *at = reserve(&writer, sizeof header + sizeof generic);
	if (at != NULL) {
		memcpy(at, &header, sizeof header);
		memcpy(at + sizeof header, &generic, sizeof generic);
	}
	return writer;
}

/* Fills in the message's length, now that it is known. */
static size_t end(const struct writer *writer)
{
	if (!writer->ok)
		return 0;
	uint32_t length = (uint32_t)writer->length;
	memcpy(writer->to, &length, sizeof length); /* nlmsg_len comes first */
	return writer->length;
}

static bool holds_ip_header(const uint8_t *payload, size_t length)
{
	if (length < 20 || length > NFQNL_PAYLOAD_MAX)
		return false;
	unsigned version = payload[0] >> 4;
	return version == 4 || (version == 6 && length >= 40);
}

size_t nfqnl_encode_verdict(uint8_t *to, size_t room, uint16_t queue, const struct nfqnl_verdict *verdict)
{
	bool replaced = (verdict->fields & NFQNL_SET_PAYLOAD) != 0;
	bool refused = replaced && !holds_ip_header(verdict->payload, verdict->payload_length);
	struct nfqnl_msg_verdict_hdr header = {
		.verdict = htonl(refused ? NF_DROP : verdict->verdict),
		.id = htonl(verdict->packet_id),
	};
	struct writer writer = begin(to, room, NFQNL_MSG_VERDICT, queue, 0, false);
	put_attribute(&writer, NFQA_VERDICT_HDR, &header, sizeof header);
	if (verdict->fields & NFQNL_SET_MARK)
		put_be32(&writer, NFQA_MARK, verdict->mark);
	if (verdict->fields & NFQNL_SET_CONNMARK) {
		uint8_t nest[16];
		struct writer inner = { nest, sizeof nest, 0, true };
		/* The kernel XORs the value in, so that bits outside the mask would flip foreign ones. */
		put_be32(&inner, CTA_MARK, verdict->connmark & verdict->connmark_mask);
		put_be32(&inner, CTA_MARK_MASK, verdict->connmark_mask);
		put_attribute(&writer, NFQA_CT | NLA_F_NESTED, nest, inner.length);
	}
	if (replaced && !refused)
		put_attribute(&writer, NFQA_PAYLOAD, verdict->payload, verdict->payload_length);
	return end(&writer);
}

size_t nfqnl_encode_command(uint8_t *to, size_t room, uint16_t queue, uint32_t sequence, bool ack, uint8_t command)
{
	struct nfqnl_msg_config_cmd body = { .command = command };
	struct writer writer = begin(to, room, NFQNL_MSG_CONFIG, queue, sequence, ack);
	put_attribute(&writer, NFQA_CFG_CMD, &body, sizeof body);
	return end(&writer);
}

size_t nfqnl_encode_copy_packet(uint8_t *to, size_t room, uint16_t queue, uint32_t sequence, bool ack)
{
	struct nfqnl_msg_config_params body = { .copy_range = htonl(0xffff), .copy_mode = NFQNL_COPY_PACKET };
	struct writer writer = begin(to, room, NFQNL_MSG_CONFIG, queue, sequence, ack);
	put_attribute(&writer, NFQA_CFG_PARAMS, &body, sizeof body);
	return end(&writer);
}

size_t nfqnl_encode_max_length(uint8_t *to, size_t room, uint16_t queue, uint32_t sequence, bool ack, uint32_t packets)
{
	struct writer writer = begin(to, room, NFQNL_MSG_CONFIG, queue, sequence, ack);
	put_be32(&writer, NFQA_CFG_QUEUE_MAXLEN, packets);
	return end(&writer);
}

size_t nfqnl_encode_flags(uint8_t *to, size_t room, uint16_t queue, uint32_t sequence, bool ack, uint32_t flags,
			  uint32_t mask)
{
	struct writer writer = begin(to, room, NFQNL_MSG_CONFIG, queue, sequence, ack);
	put_be32(&writer, NFQA_CFG_FLAGS, flags);
	put_be32(&writer, NFQA_CFG_MASK, mask);
	return end(&writer);
}
