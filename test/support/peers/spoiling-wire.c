/*
 * A router that loses, doubles and delays: spoiling-wire DEVICE MAC DEVICE MAC LOST DOUBLED LATE SEED DELAY JITTER carries what
 * IP packets arrive for others at one device on to the neighbour (its MAC) behind the other. Shares are of a thousand. Each packet
 * takes DELAY microseconds and up to JITTER more or less, and none overtakes another but where it is of those that are late.
 * Says "ready", and at SIGTERM what it has done. The host must not forward by itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SIDES = 2, LARGEST = 65536, MOST_LATE = 4096, PROTOCOL_AT4 = 9, PROTOCOL_AT6 = 6, TCP = 6 };

struct late {
	unsigned char *packet;
	int length, side;
	double due;
};

static int sockets[SIDES];
static struct sockaddr_ll neighbours[SIDES];
static struct late late[MOST_LATE];
static int late_count;
static double last_due[SIDES];
static unsigned long carried, lost, doubled, delayed;
static volatile sig_atomic_t stopped;

static void on_term(int signal) { (void)signal; stopped = 1; }

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void open_side(int side, const char *device, const char *mac)
{
	struct sockaddr_ll *to = &neighbours[side];
	int large = 8 << 20, one = 1;
	to->sll_family = AF_PACKET;
	to->sll_protocol = htons(ETH_P_ALL);
	to->sll_ifindex = (int)if_nametoindex(device);
	sockets[side] = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	if (bind(sockets[side], (struct sockaddr *)to, sizeof *to) < 0) { perror(device); exit(1); }
	setsockopt(sockets[side], SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
	setsockopt(sockets[side], SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
	to->sll_halen = 6;
	sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", to->sll_addr, to->sll_addr + 1, to->sll_addr + 2, to->sll_addr + 3,
	       to->sll_addr + 4, to->sll_addr + 5);
}

/* To the neighbour behind the other side. */
static void carry(int side, const unsigned char *packet, int length)
{
	struct sockaddr_ll to = neighbours[!side];
	to.sll_protocol = htons(packet[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
	carried++;
	sendto(sockets[!side], packet, (size_t)length, 0, (struct sockaddr *)&to, sizeof to);
}

static int happens(int share) { return rand() % 1000 < share; }

static void keep(int side, const unsigned char *packet, int length, double due)
{
	struct late *one = &late[late_count++];
	*one = (struct late){ malloc((size_t)length), length, side, due };
	memcpy(one->packet, packet, (size_t)length);
}

static double usual_due(int side, int delay, int jitter)
{
	double due = now() + (delay - jitter + (jitter > 0 ? rand() % (2 * jitter) : 0)) / 1e6;
	return last_due[side] = due < last_due[side] ? last_due[side] : due;
}

static void receive(int side, int lost_share, int doubled_share, int late_share, int delay, int jitter)
{
	static unsigned char packet[LARGEST];
	struct sockaddr_ll from;
	socklen_t size = sizeof from;
	int length = (int)recvfrom(sockets[side], packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
	if (length < 40 || from.sll_pkttype != PACKET_HOST) return;
	int version = packet[0] >> 4;
	if (version != 4 && version != 6) return;
	if (packet[version == 4 ? PROTOCOL_AT4 : PROTOCOL_AT6] != TCP) return;
	if (happens(lost_share)) { lost++; return; }
	if (happens(doubled_share)) { doubled++; carry(side, packet, length); }
	if (happens(late_share) && late_count < MOST_LATE) {
		keep(side, packet, length, now() + (delay + 1000 + rand() % 12 * 1000) / 1e6);
		delayed++;
		return;
	}
	if (delay > 0 && late_count < MOST_LATE) keep(side, packet, length, usual_due(side, delay, jitter));
	else carry(side, packet, length);
}

/* In the order in which they came. Seconds until it wants to be called again. */
static double carry_late(void)
{
	double time = now(), next = 0.2;
	int left = 0;
	for (int i = 0; i < late_count; i++) {
		struct late one = late[i];
		if (one.due > time) {
			if (one.due - time < next) next = one.due - time;
			late[left++] = one;
			continue;
		}
		carry(one.side, one.packet, one.length);
		free(one.packet);
	}
	late_count = left;
	return next;
}

int main(int count, char **arguments)
{
	if (count != 11) return 2;
	signal(SIGTERM, on_term);
	srand((unsigned)atoi(arguments[8]));
	for (int side = 0; side < SIDES; side++) open_side(side, arguments[1 + 2 * side], arguments[2 + 2 * side]);
	puts("ready");
	fflush(stdout);
	while (!stopped) {
		struct pollfd ready[SIDES] = { { sockets[0], POLLIN, 0 }, { sockets[1], POLLIN, 0 } };
		double next = carry_late();
		struct timespec patience = { 0, (long)(next * 1e9) };
		ppoll(ready, SIDES, &patience, NULL);
		for (int side = 0; side < SIDES; side++) {
			if (ready[side].revents & POLLIN) {
				receive(side, atoi(arguments[5]), atoi(arguments[6]), atoi(arguments[7]), atoi(arguments[9]),
				        atoi(arguments[10]));
			}
		}
	}
	printf("carried %lu, lost %lu, doubled %lu, late %lu\n", carried, lost, doubled, delayed);
	return 0;
}
