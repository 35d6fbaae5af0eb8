/*
 * A TLS server without cryptography: it plays its part of a recorded handshake to everybody, and then
 *
 *   handshake   closes after the client
 *   bulk        sends for as long as the client reads
 *   echo        sends back what it gets
 *
 *   serve PORT SCRIPT VARIED handshake|bulk|echo       writes "ready" when it listens
 */
#define _GNU_SOURCE
#include "script.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BULK (1024 * 1024)

enum mode { HANDSHAKE, BULK_MODE, ECHO_MODE };

struct peer {
	int fd;
	int flight;
	uint32_t done;
	uint32_t waits_for;
};

static struct script script;
static enum mode mode;
static int events;
static uint64_t serial;
static uint8_t *bulk;

static void forget(struct peer *peer)
{
	close(peer->fd);
	free(peer);
}

static void wait_for(struct peer *peer, uint32_t what)
{
	if (peer->waits_for == what)
		return;
	struct epoll_event event = { .events = what, .data.ptr = peer };
	epoll_ctl(events, EPOLL_CTL_MOD, peer->fd, &event);
	peer->waits_for = what;
}

/* splitmix64: other octets each time, none of which is predictable enough to be cached. */
static void vary(struct flight *flight)
{
	for (uint32_t i = 0; i < script.varied_length; i += 8) {
		uint64_t z = (serial += 0x9e3779b97f4a7c15u);
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		z ^= z >> 31;
		uint32_t left = script.varied_length - i;
		memcpy(flight->octets + script.varied_offset + i, &z, left < 8 ? left : 8);
	}
}

/* False when the connection is over. */
static bool after_script(struct peer *peer)
{
	static uint8_t buffer[65536];
	for (;;) {
		if (mode == BULK_MODE) {
			/* One send a turn: the other streams come next. */
			wait_for(peer, EPOLLOUT);
			return send(peer->fd, bulk, BULK, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
		}
		ssize_t got = recv(peer->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN) {
			wait_for(peer, EPOLLIN);
			return true;
		}
		if (got <= 0)
			return false;
		if (mode == ECHO_MODE && send(peer->fd, buffer, (size_t)got, MSG_NOSIGNAL) != got)
			return false;
		if (mode == HANDSHAKE)
			return false; /* nothing is left to say */
	}
}

static bool play(struct peer *peer)
{
	uint8_t buffer[MAX_FLIGHT];
	while (peer->flight < script.count) {
		struct flight *flight = &script.flights[peer->flight];
		uint32_t left = flight->length - peer->done;
		ssize_t got;
		if (flight->is_client) {
			got = recv(peer->fd, buffer, left, MSG_DONTWAIT);
			if (got == 0)
				return false;
		} else {
			if (peer->flight == script.varied_flight && peer->done == 0)
				vary(flight);
			got = send(peer->fd, flight->octets + peer->done, left, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
		if (got < 0) {
			if (errno != EAGAIN)
				return false;
			wait_for(peer, flight->is_client ? EPOLLIN : EPOLLOUT);
			return true;
		}
		if (flight->is_client && !is_as_written(&script, peer->flight, peer->done, buffer, (uint32_t)got))
			return false;
		peer->done += (uint32_t)got;
		if (peer->done == flight->length) {
			peer->done = 0;
			peer->flight++;
		}
	}
	return after_script(peer);
}

static void accept_all(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		struct peer *peer = calloc(1, sizeof(*peer));
		peer->fd = fd;
		peer->waits_for = EPOLLIN;
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };
		epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
	}
}

static int listen_on(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
	return fd;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: serve PORT SCRIPT VARIED handshake|bulk|echo\n");
		return 2;
	}
	load_script(&script, argv[2], argv[3]);
	mode = strcmp(argv[4], "bulk") == 0 ? BULK_MODE : strcmp(argv[4], "echo") == 0 ? ECHO_MODE : HANDSHAKE;
	bulk = calloc(1, BULK);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	serial = (uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec;
	events = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_on((uint16_t)atoi(argv[1]));
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event ready[256];
		int count = epoll_wait(events, ready, 256, -1);
		for (int i = 0; i < count; i++) {
			struct peer *peer = ready[i].data.ptr;
			if (peer == NULL)
				accept_all(listener);
			else if (!play(peer))
				forget(peer);
		}
	}
}
