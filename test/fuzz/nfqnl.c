/*
 * libFuzzer target of the message codec:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined test/fuzz/nfqnl.c native/nfqnl.c -o nfqnl-fuzz && ./nfqnl-fuzz
 * Whatever the octets are, what the decoder says lies inside them, and what the encoder writes inside its room.
 */
#include "../../native/nfqnl.h"

#include <stdlib.h>
#include <string.h>

static void decode_everything(const uint8_t *data, size_t size)
{
	struct nfqnl_message message;
	size_t at = 0, before;
	do {
		before = at;
		nfqnl_decode(data, size, &at, &message);
		if (at > size || (message.kind != NFQNL_KIND_END && at == before))
			abort();
		if (message.kind == NFQNL_KIND_PACKET &&
		    (message.packet.offset > size || message.packet.length > size - message.packet.offset ||
		     message.packet.original_length < message.packet.length))
			abort();
		if (message.kind == NFQNL_KIND_ERROR && (message.error < 0 || message.error > 4095))
			abort();
	} while (message.kind != NFQNL_KIND_END);
}

static void encode_into_any_room(const uint8_t *data, size_t size)
{
	struct nfqnl_verdict verdict = { 0 };
	size_t head = 6 * sizeof(uint32_t), room;
	if (size < head + 2)
		return;
	memcpy(&verdict, data, head);
	room = (size_t)data[head] << 4 | data[head + 1] >> 4;
	verdict.payload = data + head + 2;
	verdict.payload_length = size - head - 2;
	uint8_t *octets = malloc(room == 0 ? 1 : room);
	if (octets == NULL || nfqnl_encode_verdict(octets, room, 1, &verdict) > room)
		abort();
	free(octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_everything(data, size);
	encode_into_any_room(data, size);
	return 0;
}
