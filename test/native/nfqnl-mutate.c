/*
 * The fuzz target without libFuzzer, for machines that have only a C compiler: packet-like messages with a few octets
 * changed, from a fixed seed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t state = 0x2545f491;

/* xorshift32 (Marsaglia 2003). */
static uint32_t next(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* A packet message with attributes of random types and fitting lengths; its length. */
static size_t build(uint8_t *to, size_t room)
{
	static const uint8_t header[] = { 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 7 };
	size_t length = sizeof header;
	memcpy(to, header, sizeof header);
	while (length + 64 < room && next() % 8 != 0) {
		size_t value = next() % 24;
		to[length] = (uint8_t)(4 + value);
		to[length + 1] = 0;
		to[length + 2] = (uint8_t)(next() % 22);
		to[length + 3] = next() % 4 == 0 ? 0x80 : 0;
		for (size_t i = 0; i < value; i++)
			to[length + 4 + i] = (uint8_t)(next() % 3 == 0 ? 8 : next());
		length += (4 + value + 3) & ~(size_t)3;
	}
	to[0] = (uint8_t)length;
	to[1] = (uint8_t)(length >> 8);
	return length;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 1;
	for (long round = 0; round < rounds; round++) {
		uint8_t scratch[512];
		size_t length = build(scratch, sizeof scratch);
		for (uint32_t changes = next() % 4; changes > 0; changes--)
			scratch[next() % length] = (uint8_t)next();
		if (next() % 4 == 0)
			length = next() % (length + 1);
		uint8_t *exact = malloc(length == 0 ? 1 : length); /* so that reading past the end is seen */
		memcpy(exact, scratch, length);
		LLVMFuzzerTestOneInput(exact, length);
		free(exact);
	}
	printf("%ld done\n", rounds);
	return 0;
}
