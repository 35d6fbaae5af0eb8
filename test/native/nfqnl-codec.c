/*
 * What the codec must do, octet by octet. A plain program: it prints each check that fails and ends with their number,
 * so that it runs under sanitizers and valgrind as it is. Host byte order is little-endian in the literal messages.
 */
#include "../../native/nfqnl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define CHECK(condition)                                                                       \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			failures++;                                                            \
			printf("%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #condition); \
		}                                                                              \
	} while (0)

/* NFQNL_MSG_PACKET as a kernel with conntrack glue sends it. */
static const uint8_t PACKET[] = {
	/* nlmsghdr: length 172, type NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET, no flags, seq 0, pid 0 */
	0xac, 0, 0, 0, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	/* nfgenmsg: AF_INET, version 0, queue 7 */
	2, 0, 0, 7,
	/* NFQA_PACKET_HDR: id 0x01020304, 0x0800, NF_INET_FORWARD */
	11, 0, 1, 0, 1, 2, 3, 4, 0x08, 0x00, 2, 0,
	/* NFQA_IFINDEX_INDEV 5, NFQA_IFINDEX_OUTDEV 6, NFQA_MARK 0xaabbccdd */
	8, 0, 5, 0, 0, 0, 0, 5, 8, 0, 6, 0, 0, 0, 0, 6, 8, 0, 3, 0, 0xaa, 0xbb, 0xcc, 0xdd,
	/* NFQA_TIMESTAMP, which nobody asks: 0x6553f100 s, 0x000f4240 - 1 us */
	20, 0, 4, 0, 0, 0, 0, 0, 0x65, 0x53, 0xf1, 0x00, 0, 0, 0, 0, 0x00, 0x0f, 0x42, 0x3f,
	/* NFQA_CT (nested): CTA_MARK 0x60000000, CTA_ID 0x11223344 */
	20, 0, 11, 0x80, 8, 0, 8, 0, 0x60, 0, 0, 0, 8, 0, 12, 0, 0x11, 0x22, 0x33, 0x44,
	/* NFQA_CT_INFO: IP_CT_ESTABLISHED_REPLY */
	8, 0, 12, 0, 0, 0, 0, 3,
	/* NFQA_SKB_INFO: CSUMNOTREADY | GSO */
	8, 0, 14, 0, 0, 0, 0, 3,
	/* NFQA_CAP_LEN: 0x00011170 octets before truncation */
	8, 0, 13, 0, 0, 1, 0x11, 0x70,
	/* NFQA_HWADDR: 02:1b:2c:3d:4e:5f */
	16, 0, 9, 0, 0, 6, 0, 0, 0x02, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f, 0, 0,
	/* NFQA_IFINDEX_PHYSOUTDEV 7 */
	8, 0, 8, 0, 0, 0, 0, 7,
	/* NFQA_PAYLOAD: 21 octets */
	25, 0, 10, 0, 0x45, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 0, 0, 0,
};
#define PAYLOAD_AT (sizeof PACKET - 24)
#define HWADDR_AT (PAYLOAD_AT - 4 - 8 - 16)

static struct nfqnl_message decode(const uint8_t *buffer, size_t length)
{
	struct nfqnl_message message;
	size_t at = 0;
	memset(&message, 0xee, sizeof message);
	nfqnl_decode(buffer, length, &at, &message);
	return message;
}

static void a_packet_message_becomes_its_fields(void)
{
	struct nfqnl_message message = decode(PACKET, sizeof PACKET);
	CHECK(message.kind == NFQNL_KIND_PACKET);
	CHECK(message.packet.packet_id == 0x01020304);
	CHECK(message.packet.hook == 2);
	CHECK(message.packet.in_ifindex == 5);
	CHECK(message.packet.out_ifindex == 6);
	CHECK(message.packet.phys_out_ifindex == 7);
	CHECK(memcmp(message.packet.in_link, "\x02\x1b\x2c\x3d\x4e\x5f", 6) == 0);
	CHECK(message.packet.mark == 0xaabbccdd);
	CHECK(message.packet.connmark == 0x60000000);
	CHECK(message.packet.ctid == 0x11223344);
	CHECK(message.packet.offset == PAYLOAD_AT);
	CHECK(message.packet.length == 21);
	CHECK(message.packet.original_length == 70000);
	CHECK(message.packet.flags == (NFQNL_FLAG_GSO | NFQNL_FLAG_CSUM_NOT_READY | NFQNL_FLAG_TRUNCATED |
				       NFQNL_FLAG_HAS_CONNMARK | NFQNL_FLAG_CT_REPLY));
}

static void a_link_address_that_is_not_ethernets_is_none_or_what_there_is_of_it(void)
{
	static const uint8_t lengths[] = { 0, 4, 7, 8, 255 };
	for (size_t i = 0; i < sizeof lengths; i++) {
		uint8_t octets[sizeof PACKET];
		memcpy(octets, PACKET, sizeof octets);
		octets[HWADDR_AT + 5] = lengths[i];
		struct nfqnl_message message = decode(octets, sizeof octets);
		CHECK(message.packet.length == 21);
		const char *expected = lengths[i] == 4 ? "\x02\x1b\x2c\x3d\0\0" : "\0\0\0\0\0\0";
		CHECK(memcmp(message.packet.in_link, expected, 6) == 0);
	}
}

static void a_connection_without_cta_mark_has_connmark_zero(void)
{
	static const uint8_t message_octets[] = {
		44, 0, 0, 0, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 7,
		11, 0, 1, 0, 0, 0, 0, 9, 0x08, 0x00, 2, 0,
		12, 0, 11, 0x80, 8, 0, 12, 0, 0, 0, 0, 5,
	};
	struct nfqnl_message message = decode(message_octets, sizeof message_octets);
	CHECK(message.kind == NFQNL_KIND_PACKET);
	CHECK(message.packet.flags == NFQNL_FLAG_HAS_CONNMARK);
	CHECK(message.packet.connmark == 0);
	CHECK(message.packet.ctid == 5);
}

static void a_packet_without_nfqa_ct_has_no_connmark(void)
{
	static const uint8_t message_octets[] = {
		32, 0, 0, 0, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 7,
		11, 0, 1, 0, 0, 0, 0, 9, 0x08, 0x00, 2, 0,
	};
	struct nfqnl_message message = decode(message_octets, sizeof message_octets);
	CHECK(message.kind == NFQNL_KIND_PACKET);
	CHECK(message.packet.flags == 0);
	CHECK(message.packet.length == 0);
}

/* Each prefix lies in memory of exactly its size, so that a sanitizer sees the first octet read too far. */
static void a_message_cut_anywhere_is_malformed_and_not_read_past(void)
{
	for (size_t length = 1; length < sizeof PACKET; length++) {
		uint8_t *cut = malloc(length);
		memcpy(cut, PACKET, length);
		CHECK(decode(cut, length).kind == NFQNL_KIND_MALFORMED);
		free(cut);
	}
}

/* The same, with nlmsg_len telling the truth: an attribute is cut, not the message. */
static void an_attribute_cut_anywhere_still_yields_the_packet_id_for_a_verdict(void)
{
	for (size_t length = 21; length < sizeof PACKET; length++) {
		uint8_t *cut = malloc(length);
		memcpy(cut, PACKET, length);
		cut[0] = (uint8_t)length;
		struct nfqnl_message message = decode(cut, length);
		if (length < 31) {
			CHECK(message.kind == NFQNL_KIND_MALFORMED);
		} else {
			CHECK(message.kind == NFQNL_KIND_PACKET);
			CHECK(message.packet.packet_id == 0x01020304);
			CHECK(message.packet.offset + message.packet.length <= length);
		}
		free(cut);
	}
}

static void an_attribute_of_the_wrong_size_makes_a_packet_without_octets(void)
{
	uint8_t bad[sizeof PACKET];
	memcpy(bad, PACKET, sizeof PACKET);
	bad[48] = 7; /* NFQA_MARK: nla_len 8 -> 7, padded to the same end */
	struct nfqnl_message message = decode(bad, sizeof bad);
	CHECK(message.kind == NFQNL_KIND_PACKET);
	CHECK(message.packet.packet_id == 0x01020304);
	CHECK(message.packet.length == 0);
	CHECK(message.packet.flags & NFQNL_FLAG_TRUNCATED);
}

static void several_messages_in_one_buffer_are_read_in_turn(void)
{
	uint8_t two[2 * sizeof PACKET + 20];
	static const uint8_t error[] = { 20, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff };
	memcpy(two, PACKET, sizeof PACKET);
	memcpy(two + sizeof PACKET, error, sizeof error);
	memcpy(two + sizeof PACKET + sizeof error, PACKET, sizeof PACKET);
	struct nfqnl_message message;
	size_t at = 0;
	nfqnl_decode(two, sizeof two, &at, &message);
	CHECK(message.kind == NFQNL_KIND_PACKET);
	nfqnl_decode(two, sizeof two, &at, &message);
	CHECK(message.kind == NFQNL_KIND_ERROR);
	CHECK(message.error == ENOENT);
	CHECK(message.sequence == 9);
	nfqnl_decode(two, sizeof two, &at, &message);
	CHECK(message.kind == NFQNL_KIND_PACKET);
	CHECK(message.packet.offset == sizeof PACKET + sizeof error + PAYLOAD_AT);
	nfqnl_decode(two, sizeof two, &at, &message);
	CHECK(message.kind == NFQNL_KIND_END);
}

static void an_error_that_is_no_errno_is_malformed(void)
{
	static const uint8_t positive[] = { 20, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0 };
	static const uint8_t least[] = { 20, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80 };
	static const uint8_t shorter[] = { 18, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	CHECK(decode(positive, sizeof positive).kind == NFQNL_KIND_MALFORMED);
	CHECK(decode(least, sizeof least).kind == NFQNL_KIND_MALFORMED);
	CHECK(decode(shorter, sizeof shorter).kind == NFQNL_KIND_MALFORMED);
}

static void messages_of_no_concern_are_passed_over(void)
{
	static const uint8_t done[] = { 20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	CHECK(decode(done, sizeof done).kind == NFQNL_KIND_OTHER);
}

static void a_plain_verdict(void)
{
	static const uint8_t expected[] = {
		32, 0, 0, 0, 0x01, 0x03, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x02,
		12, 0, 2, 0, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef,
	};
	struct nfqnl_verdict verdict = { .packet_id = 0xdeadbeef, .verdict = 1 };
	uint8_t octets[64];
	CHECK(nfqnl_encode_verdict(octets, sizeof octets, 0x102, &verdict) == sizeof expected);
	CHECK(memcmp(octets, expected, sizeof expected) == 0);
}

static void a_verdict_with_mark_and_connmark(void)
{
	static const uint8_t expected[] = {
		60, 0, 0, 0, 0x01, 0x03, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,
		12, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 9,
		8, 0, 3, 0, 0x20, 0, 0, 0x11,
		/* NFQA_CT | NLA_F_NESTED: CTA_MARK 0x40000000, CTA_MARK_MASK 0x60000000 */
		20, 0, 11, 0x80, 8, 0, 8, 0, 0x40, 0, 0, 0, 8, 0, 21, 0, 0x60, 0, 0, 0,
	};
	struct nfqnl_verdict verdict = {
		.packet_id = 9,
		.verdict = 0,
		.fields = NFQNL_SET_MARK | NFQNL_SET_CONNMARK,
		.mark = 0x20000011,
		.connmark = 0x4fffffff, /* bits outside the mask are not ours to flip */
		.connmark_mask = 0x60000000,
	};
	uint8_t octets[64];
	CHECK(nfqnl_encode_verdict(octets, sizeof octets, 3, &verdict) == sizeof expected);
	CHECK(memcmp(octets, expected, sizeof expected) == 0);
}

static void a_verdict_with_a_replaced_packet(void)
{
	uint8_t payload[21] = { 0x45 }, octets[128];
	struct nfqnl_verdict verdict = { .packet_id = 9, .verdict = 1, .fields = NFQNL_SET_PAYLOAD };
	verdict.payload = payload;
	verdict.payload_length = sizeof payload;
	CHECK(nfqnl_encode_verdict(octets, sizeof octets, 3, &verdict) == 32 + 28);
	CHECK(octets[0] == 60 && octets[32] == 25 && octets[34] == 10 && octets[36] == 0x45);
	CHECK(octets[57] == 0 && octets[58] == 0 && octets[59] == 0);
}

static void a_replacement_that_is_no_ip_packet_becomes_a_drop_without_payload(void)
{
	static uint8_t payload[0x10000];
	static const struct {
		uint8_t first;
		size_t length;
	} refused[] = { { 0x45, 0 }, { 0x45, 19 }, { 0x60, 39 }, { 0x00, 60 }, { 0x45, NFQNL_PAYLOAD_MAX + 1 } };
	uint8_t *octets = malloc(NFQNL_VERDICT_ROOM);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct nfqnl_verdict verdict = { .packet_id = 9, .verdict = 1, .fields = NFQNL_SET_PAYLOAD };
		payload[0] = refused[i].first;
		verdict.payload = payload;
		verdict.payload_length = refused[i].length;
		CHECK(nfqnl_encode_verdict(octets, NFQNL_VERDICT_ROOM, 3, &verdict) == 32);
		CHECK(octets[27] == 0);
	}
	free(octets);
}

static void the_largest_verdict_fits_into_its_room(void)
{
	static uint8_t payload[NFQNL_PAYLOAD_MAX] = { 0x60 };
	struct nfqnl_verdict verdict = {
		.verdict = 1, .fields = NFQNL_SET_MARK | NFQNL_SET_CONNMARK | NFQNL_SET_PAYLOAD,
		.payload = payload, .payload_length = sizeof payload,
	};
	uint8_t *octets = malloc(NFQNL_VERDICT_ROOM);
	size_t length = nfqnl_encode_verdict(octets, NFQNL_VERDICT_ROOM, 3, &verdict);
	CHECK(length == 60 + 65536);
	free(octets);
	for (size_t room = length - 64; room < length; room++) {
		octets = malloc(room);
		CHECK(nfqnl_encode_verdict(octets, room, 3, &verdict) == 0);
		free(octets);
	}
}

static void configuration_messages(void)
{
	static const uint8_t bind[] = {
		28, 0, 0, 0, 0x02, 0x03, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 8, 0, 1, 0, 1, 0, 0, 0,
	};
	static const uint8_t copy[] = {
		32, 0, 0, 0, 0x02, 0x03, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,
		9, 0, 2, 0, 0, 0, 0xff, 0xff, 2, 0, 0, 0,
	};
	static const uint8_t length[] = {
		28, 0, 0, 0, 0x02, 0x03, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 8, 0, 3, 0, 0, 0, 0x20, 0,
	};
	static const uint8_t flags[] = {
		36, 0, 0, 0, 0x02, 0x03, 5, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,
		8, 0, 5, 0, 0, 0, 0, 4, 8, 0, 4, 0, 0, 0, 0, 5,
	};
	uint8_t octets[64];
	CHECK(nfqnl_encode_command(octets, sizeof octets, 3, 1, true, 1) == sizeof bind);
	CHECK(memcmp(octets, bind, sizeof bind) == 0);
	CHECK(nfqnl_encode_copy_packet(octets, sizeof octets, 3, 2, false) == sizeof copy);
	CHECK(memcmp(octets, copy, sizeof copy) == 0);
	CHECK(nfqnl_encode_max_length(octets, sizeof octets, 3, 3, true, 8192) == sizeof length);
	CHECK(memcmp(octets, length, sizeof length) == 0);
	CHECK(nfqnl_encode_flags(octets, sizeof octets, 3, 4, true, 4, 5) == sizeof flags);
	CHECK(memcmp(octets, flags, sizeof flags) == 0);
}

int main(void)
{
	a_packet_message_becomes_its_fields();
	a_link_address_that_is_not_ethernets_is_none_or_what_there_is_of_it();
	a_connection_without_cta_mark_has_connmark_zero();
	a_packet_without_nfqa_ct_has_no_connmark();
	a_message_cut_anywhere_is_malformed_and_not_read_past();
	an_attribute_cut_anywhere_still_yields_the_packet_id_for_a_verdict();
	an_attribute_of_the_wrong_size_makes_a_packet_without_octets();
	several_messages_in_one_buffer_are_read_in_turn();
	an_error_that_is_no_errno_is_malformed();
	messages_of_no_concern_are_passed_over();
	a_plain_verdict();
	a_verdict_with_mark_and_connmark();
	a_verdict_with_a_replaced_packet();
	a_replacement_that_is_no_ip_packet_becomes_a_drop_without_payload();
	the_largest_verdict_fits_into_its_room();
	configuration_messages();
	printf("%d failed\n", failures);
	return failures != 0;
}
