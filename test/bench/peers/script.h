/*
 * A recorded conversation that both peers play: who says which octets, in turn. A file of entries, each one octet
 * ('C' or 'S'), a length (32 bits, little-endian) and that many octets.
 *
 * `varied` octets of one flight are another certificate's each time: the server writes them anew, the client does not
 * compare them.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FLIGHTS 16
#define MAX_FLIGHT 16384

struct flight {
	bool is_client;
	uint32_t length;
	uint8_t octets[MAX_FLIGHT];
};

struct script {
	struct flight flights[MAX_FLIGHTS];
	int count;
	/* Of the flights, the one with octets that vary (-1: none), and where they are. */
	int varied_flight;
	uint32_t varied_offset, varied_length;
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* `varied`: FLIGHT:OFFSET:LENGTH, or "-". */
static inline void load_script(struct script *script, const char *path, const char *varied)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		die(path);
	uint8_t head[5];
	for (script->count = 0; script->count < MAX_FLIGHTS && fread(head, 1, 5, file) == 5; script->count++) {
		struct flight *flight = &script->flights[script->count];
		flight->is_client = head[0] == 'C';
		flight->length = head[1] | head[2] << 8 | head[3] << 16 | (uint32_t)head[4] << 24;
		if (flight->length > MAX_FLIGHT || fread(flight->octets, 1, flight->length, file) != flight->length) {
			fprintf(stderr, "%s: not a script\n", path);
			exit(1);
		}
	}
	fclose(file);
	script->varied_flight = -1;
	if (sscanf(varied, "%d:%u:%u", &script->varied_flight, &script->varied_offset, &script->varied_length) != 3)
		script->varied_flight = -1;
}

/* Whether these octets of a flight are what the script says; `from` counts from the flight's beginning. */
static inline bool is_as_written(const struct script *script, int index, uint32_t from, const uint8_t *octets,
				 uint32_t length)
{
	const uint8_t *expected = script->flights[index].octets;
	if (script->varied_flight != index)
		return memcmp(expected + from, octets, length) == 0;
	uint32_t end = from + length, gap = script->varied_offset, gap_end = gap + script->varied_length;
	uint32_t before = end < gap ? end : gap, after = from > gap_end ? from : gap_end;
	return (before <= from || memcmp(expected + from, octets, before - from) == 0) &&
	       (after >= end || memcmp(expected + after, octets + (after - from), end - after) == 0);
}

#endif
