/*
 * A TLS client without cryptography: plays its part of a recorded handshake, over and over, with some connections at once,
 * and says as one line of JSON what happened after the warm-up:
 *
 *   visit ADDRESS,… PORT SCRIPT VARIED handshake|bulk|echo AT_ONCE WARM_MS MEASURED_MS
 *
 *   handshake   closes after the script; `handshakes` (`total`: those of the warm-up too), and the microseconds from
 *               connect() to the last octet of the server's (`p50`, `p99`, `p999`)
 *   bulk        reads what comes after the script; `octets`
 *   echo        64 octets there and back after the script, one message under way a connection; `exchanges`
 *
 * A connection that ends early or says other octets than were recorded has `failed`.
 */
#define _GNU_SOURCE
#include "script.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_ADDRESSES 32
#define MAX_TIMES (1 << 20)
#define MESSAGE 64
#define MAX_FAILED 1000
#define MAX_READS 16

enum mode { HANDSHAKE, BULK_MODE, ECHO_MODE };

struct visit {
	int fd;
	int flight;
	uint32_t done;
	uint64_t began;
	bool has_spoken;
};

static struct script script;
static enum mode mode;
static struct sockaddr_in servers[MAX_ADDRESSES];
static unsigned server_count, next_server;
static int events, last_server_flight;
static bool measures;
static uint64_t total, handshakes, failed, octets, exchanges;
static uint32_t times[MAX_TIMES];
static uint32_t time_count;

static uint64_t micros(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* Edge-triggered: each flight is read and written until it would block. */
static void watch(struct visit *visit, int operation)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = visit };
	epoll_ctl(events, operation, visit->fd, &event);
}

static void begin(struct visit *visit)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*visit = (struct visit){ .fd = fd, .began = micros() };
	struct sockaddr_in *server = &servers[next_server++ % server_count];
	if (connect(fd, (struct sockaddr *)server, sizeof(*server)) < 0 && errno != EINPROGRESS)
		die("connect");
	watch(visit, EPOLL_CTL_ADD);
}

static void again(struct visit *visit, bool has_failed)
{
	if (has_failed && ++failed >= MAX_FAILED) {
		fprintf(stderr, "visit: %d connections failed\n", MAX_FAILED);
		exit(1);
	}
	close(visit->fd);
	begin(visit);
}

static void finished(struct visit *visit)
{
	total++;
	if (!measures)
		return;
	handshakes++;
	if (time_count < MAX_TIMES)
		times[time_count++] = (uint32_t)(micros() - visit->began);
}

/* Whether the connection goes on. */
static bool after_script(struct visit *visit)
{
	static uint8_t buffer[1024 * 1024];
	for (int reads = 0; reads < MAX_READS; reads++) {
		ssize_t got = recv(visit->fd, buffer, sizeof(buffer), MSG_DONTWAIT | (mode == BULK_MODE ? MSG_TRUNC : 0));
		if (got < 0)
			return errno == EAGAIN;
		if (got == 0)
			return false;
		if (measures)
			octets += (uint64_t)got;
		visit->done += (uint32_t)got;
		if (mode != ECHO_MODE || visit->done < MESSAGE)
			continue;
		visit->done = 0;
		if (measures)
			exchanges++;
		if (send(visit->fd, buffer, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
			return false;
	}
	/* There is more, of which no edge will tell; the others and the clock come first. */
	watch(visit, EPOLL_CTL_MOD);
	return true;
}

static void play(struct visit *visit)
{
	uint8_t buffer[MAX_FLIGHT];
	while (visit->flight < script.count) {
		struct flight *flight = &script.flights[visit->flight];
		uint32_t left = flight->length - visit->done;
		ssize_t got = flight->is_client
				      ? send(visit->fd, flight->octets + visit->done, left, MSG_DONTWAIT | MSG_NOSIGNAL)
				      : recv(visit->fd, buffer, left, MSG_DONTWAIT);
		/* ENOTCONN: still connecting. */
		if (got < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (got <= 0)
			return again(visit, true);
		if (!flight->is_client && !is_as_written(&script, visit->flight, visit->done, buffer, (uint32_t)got))
			return again(visit, true);
		visit->done += (uint32_t)got;
		if (visit->done < flight->length)
			continue;
		visit->done = 0;
		if (visit->flight++ == last_server_flight)
			finished(visit);
	}
	/* The FIN goes out; that the server's comes back is the kernel's business. */
	if (mode == HANDSHAKE)
		return again(visit, false);
	if (mode == ECHO_MODE && !visit->has_spoken) {
		visit->has_spoken = true;
		if (send(visit->fd, buffer, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
			return again(visit, true);
	}
	if (!after_script(visit))
		again(visit, true);
}

static void run_until(uint64_t end)
{
	struct epoll_event ready[256];
	for (uint64_t now = micros(); now < end; now = micros()) {
		int count = epoll_wait(events, ready, 256, (int)((end - now) / 1000) + 1);
		for (int i = 0; i < count; i++)
			play(ready[i].data.ptr);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static uint32_t quantile(double q)
{
	return time_count == 0 ? 0 : times[(uint32_t)(q * (time_count - 1))];
}

static void read_addresses(char *list, uint16_t port)
{
	for (char *text = strtok(list, ","); text != NULL && server_count < MAX_ADDRESSES; text = strtok(NULL, ",")) {
		struct sockaddr_in *server = &servers[server_count++];
		server->sin_family = AF_INET;
		server->sin_port = htons(port);
		if (inet_pton(AF_INET, text, &server->sin_addr) != 1)
			die(text);
	}
}

int main(int argc, char **argv)
{
	if (argc != 9) {
		fprintf(stderr, "usage: visit ADDRESS,... PORT SCRIPT VARIED MODE AT_ONCE WARM_MS MEASURED_MS\n");
		return 2;
	}
	read_addresses(argv[1], (uint16_t)atoi(argv[2]));
	load_script(&script, argv[3], argv[4]);
	mode = strcmp(argv[5], "bulk") == 0 ? BULK_MODE : strcmp(argv[5], "echo") == 0 ? ECHO_MODE : HANDSHAKE;
	for (int i = 0; i < script.count; i++)
		if (!script.flights[i].is_client)
			last_server_flight = i;
	int at_once = atoi(argv[6]);
	uint64_t warm = strtoull(argv[7], NULL, 10) * 1000u, measured = strtoull(argv[8], NULL, 10) * 1000u;

	events = epoll_create1(EPOLL_CLOEXEC);
	struct visit *visits = calloc((size_t)at_once, sizeof(*visits));
	for (int i = 0; i < at_once; i++)
		begin(&visits[i]);
	run_until(micros() + warm);
	measures = true;
	uint64_t from = micros();
	run_until(from + measured);
	double seconds = (double)(micros() - from) / 1e6;

	qsort(times, time_count, sizeof(times[0]), by_size);
	printf("{\"seconds\":%.6f,\"total\":%lu,\"handshakes\":%lu,\"failed\":%lu,\"octets\":%lu,\"exchanges\":%lu,"
	       "\"p50\":%u,\"p99\":%u,\"p999\":%u}\n",
	       seconds, (unsigned long)total, (unsigned long)handshakes, (unsigned long)failed, (unsigned long)octets,
	       (unsigned long)exchanges, quantile(0.5), quantile(0.99), quantile(0.999));
	return 0;
}
