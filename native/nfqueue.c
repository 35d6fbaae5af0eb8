/*
 * The socket of one netfilter queue: see nfqueue.h.
 *
 *   readable -> recvmmsg, a slot a message -> rows -> on_batch, again while slots come back full, at most
 *   BATCHES_PER_EVENT times, then back to the loop (it polls level-triggered: what is left wakes it again)
 */
#include "nfqueue.h"

#include "nfqnl.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef NETLINK_CAP_ACK
#define NETLINK_CAP_ACK 10
#endif

#define BATCHES_PER_EVENT 8
#define SEND_BUFFER (256u * 1024u)
/* What netlink_sendmsg keeps of the send buffer for itself (net/netlink/af_netlink.c). */
#define SEND_OVERHEAD 32u
#define ANSWER_TIMEOUT_MS 2000
#define SEND_ATTEMPTS 16

struct vectors {
	struct mmsghdr *messages;
	struct iovec *iovecs;
	struct sockaddr_nl *senders;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void free_memory(struct nfqueue *queue)
{
	free(queue->send_buffer);
	free(queue->vectors);
	queue->send_buffer = NULL;
	queue->vectors = NULL;
}

/* ---- opening ---- */

static struct vectors vectors_of(const struct nfqueue *queue)
{
	uint32_t slots = queue->options.slots;
	struct vectors vectors;
	vectors.messages = queue->vectors;
	vectors.iovecs = (struct iovec *)(vectors.messages + slots);
	vectors.senders = (struct sockaddr_nl *)(vectors.iovecs + slots);
	return vectors;
}

static bool allocate(struct nfqueue *queue)
{
	uint32_t slots = queue->options.slots;
	queue->send_buffer = malloc(SEND_BUFFER);
	queue->vectors = calloc(slots, sizeof(struct mmsghdr) + sizeof(struct iovec) + sizeof(struct sockaddr_nl));
	if (queue->send_buffer == NULL || queue->vectors == NULL)
		return false;
	struct vectors vectors = vectors_of(queue);
	for (uint32_t i = 0; i < slots; i++) {
		vectors.iovecs[i].iov_base = queue->options.slab + (size_t)i * NFQUEUE_SLOT;
		vectors.iovecs[i].iov_len = NFQUEUE_SLOT;
		vectors.messages[i].msg_hdr.msg_iov = &vectors.iovecs[i];
		vectors.messages[i].msg_hdr.msg_iovlen = 1;
		vectors.messages[i].msg_hdr.msg_name = &vectors.senders[i];
	}
	return true;
}

/* The FORCE variants need CAP_NET_ADMIN over the machine; others get what net.core.[rw]mem_max allows. */
static uint32_t set_buffer(int fd, int forced, int plain, int octets)
{
	int granted = 0;
	socklen_t length = sizeof granted;
	if (setsockopt(fd, SOL_SOCKET, forced, &octets, sizeof octets) < 0)
		setsockopt(fd, SOL_SOCKET, plain, &octets, sizeof octets);
	getsockopt(fd, SOL_SOCKET, plain, &granted, &length);
	return (uint32_t)granted;
}

/* Sends one configuration message and waits for its acknowledgement: 0 or an errno. No packet comes before copy mode. */
static int ask(struct nfqueue *queue, size_t length)
{
	if (send(queue->fd, queue->send_buffer, length, 0) < 0)
		return errno;
	for (;;) {
		struct pollfd readable = { .fd = queue->fd, .events = POLLIN };
		int ready = poll(&readable, 1, ANSWER_TIMEOUT_MS);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return errno;
		if (ready == 0)
			return ETIMEDOUT;
		ssize_t got = recv(queue->fd, queue->options.slab, NFQUEUE_SLOT, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got < 0)
			return errno;
		struct nfqnl_message message;
		size_t at = 0;
		for (nfqnl_decode(queue->options.slab, (size_t)got, &at, &message); message.kind != NFQNL_KIND_END;
		     nfqnl_decode(queue->options.slab, (size_t)got, &at, &message))
			if (message.kind == NFQNL_KIND_ERROR && message.sequence == queue->sequence)
				return message.error;
	}
}

/*
 * Copy mode comes last and is not waited for: until it is set the kernel delivers nothing, so that no packet can stand
 * between the other requests and their answers. An error in answer to it reaches on_error like any later one.
 */
static int configure(struct nfqueue *queue, const char **operation)
{
	const struct nfqueue_options *options = &queue->options;
	uint8_t *to = queue->send_buffer;
	uint16_t num = options->queue_num;
	int error;

	*operation = "bind";
	error = ask(queue, nfqnl_encode_command(to, SEND_BUFFER, num, ++queue->sequence, true, NFQNL_CFG_CMD_BIND));
	if (error != 0)
		return error;

	*operation = "set queue length";
	error = ask(queue, nfqnl_encode_max_length(to, SEND_BUFFER, num, ++queue->sequence, true, options->max_length));
	if (error != 0)
		return error;

	*operation = "set flags";
	uint32_t flags = (options->gso ? NFQA_CFG_F_GSO : 0u) |
			 (options->fail_open ? NFQA_CFG_F_FAIL_OPEN : 0u);
	error = ask(queue, nfqnl_encode_flags(to, SEND_BUFFER, num, ++queue->sequence, true, flags,
					      NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	if (error != 0)
		return error;

	if (options->conntrack) {
		*operation = "ask for conntrack";
		error = ask(queue, nfqnl_encode_flags(to, SEND_BUFFER, num, ++queue->sequence, true,
						      NFQA_CFG_F_CONNTRACK, NFQA_CFG_F_CONNTRACK));
		if (error != 0 && error != EOPNOTSUPP)
			return error;
		queue->conntrack = error == 0;
	}

	*operation = "set copy mode";
	size_t length = nfqnl_encode_copy_packet(to, SEND_BUFFER, num, ++queue->sequence, false);
	return send(queue->fd, to, length, 0) < 0 ? errno : 0;
}

static int open_socket(struct nfqueue *queue, const char **operation)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int one = 1;

	*operation = "open";
	queue->fd = queue->options.handed;
	if (queue->fd < 0) {
		queue->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
		if (queue->fd < 0)
			return errno;
		if (bind(queue->fd, (struct sockaddr *)&address, sizeof address) < 0)
			return errno;
	}

	/* Answers then name the failure without sending the whole request back. */
	setsockopt(queue->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
	queue->receive_buffer = set_buffer(queue->fd, SO_RCVBUFFORCE, SO_RCVBUF, (int)queue->options.receive_buffer);
	uint32_t room = set_buffer(queue->fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER + SEND_OVERHEAD) - SEND_OVERHEAD;
	queue->send_room = room < SEND_BUFFER ? room : SEND_BUFFER;
	return queue->send_room < NFQNL_VERDICT_ROOM ? ENOBUFS : 0;
}

int nfqueue_open(struct nfqueue *queue, uv_loop_t *loop, const struct nfqueue_options *options, const char **operation)
{
	queue->options = *options;
	queue->fd = -1;
	*operation = "open";
	int error = allocate(queue) ? 0 : ENOMEM;
	if (error == 0)
		error = open_socket(queue, operation);
	/* What was handed over may have packets in it already, and answers would be looked for behind them. */
	if (error == 0 && options->handed >= 0)
		queue->conntrack = options->conntrack;
	else if (error == 0)
		error = configure(queue, operation);
	if (error == 0) {
		*operation = "poll";
		error = -uv_poll_init(loop, &queue->poll, queue->fd);
	}
	if (error != 0) {
		if (queue->fd >= 0)
			close(queue->fd);
		queue->fd = -1;
		free_memory(queue);
		return error;
	}
	queue->poll.data = queue;
	uv_poll_start(&queue->poll, UV_READABLE, on_readable);
	return 0;
}

/* ---- receiving ---- */

static void fill_row(uint32_t *row, const struct nfqnl_packet *packet, size_t slot_offset)
{
	row[ROW_PACKET_ID] = packet->packet_id;
	row[ROW_OFFSET] = (uint32_t)slot_offset + packet->offset;
	row[ROW_LENGTH] = packet->length;
	row[ROW_MARK] = packet->mark;
	row[ROW_CONNMARK] = packet->connmark;
	row[ROW_CTID] = packet->ctid;
	row[ROW_HOOK] = packet->hook;
	row[ROW_IN_IFINDEX] = packet->in_ifindex;
	row[ROW_OUT_IFINDEX] = packet->out_ifindex;
	row[ROW_PHYS_OUT_IFINDEX] = packet->phys_out_ifindex;
	row[ROW_FLAGS] = packet->flags;
	row[ROW_ORIGINAL_LENGTH] = packet->original_length;
	row[ROW_FRAME] = 0;
	const uint8_t *link = packet->in_link;
	row[ROW_IN_LINK_HIGH] = (uint32_t)link[0] << 8 | link[1];
	row[ROW_IN_LINK_LOW] = (uint32_t)link[2] << 24 | (uint32_t)link[3] << 16 | (uint32_t)link[4] << 8 | link[5];
}

/* Decodes `count` received messages into rows; how many rows there are. */
static uint32_t fill_rows(struct nfqueue *queue, uint32_t count, int *error)
{
	struct vectors vectors = vectors_of(queue);
	uint32_t rows = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct mmsghdr *received = &vectors.messages[i];
		if (vectors.senders[i].nl_pid != 0)
			continue; /* only the kernel is listened to */
		struct nfqnl_message message;
		size_t at = 0;
		nfqnl_decode(vectors.iovecs[i].iov_base, received->msg_len, &at, &message);
		for (; message.kind != NFQNL_KIND_END;
		     nfqnl_decode(vectors.iovecs[i].iov_base, received->msg_len, &at, &message)) {
			if (message.kind == NFQNL_KIND_PACKET && rows < queue->options.slots) {
				fill_row(queue->options.rows + (size_t)rows * ROW_WORDS, &message.packet,
					 (size_t)i * NFQUEUE_SLOT);
				rows++;
			} else if (message.kind == NFQNL_KIND_ERROR && message.sequence != 0) {
				*error = message.error; /* the answer to copy mode */
			} else if (message.kind == NFQNL_KIND_ERROR && message.error != 0) {
				queue->counters.verdict_errors++;
			} else if (message.kind != NFQNL_KIND_OTHER && message.kind != NFQNL_KIND_ERROR) {
				queue->counters.malformed++;
			}
		}
	}
	queue->counters.received += rows;
	return rows;
}

/* Whether another batch may be waiting. */
static bool receive_batch(struct nfqueue *queue)
{
	struct vectors vectors = vectors_of(queue);
	uint32_t slots = queue->options.slots;
	for (uint32_t i = 0; i < slots; i++)
		vectors.messages[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_nl);

	int got = recvmmsg(queue->fd, vectors.messages, slots, MSG_DONTWAIT, NULL);
	if (got < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		int error = errno;
		if (error == ENOBUFS)
			queue->counters.enobufs++;
		else
			uv_poll_stop(&queue->poll);
		queue->on_error(queue, error);
		return error == ENOBUFS;
	}
	int error = 0;
	uint32_t rows = fill_rows(queue, (uint32_t)got, &error);
	if (rows > 0)
		queue->on_batch(queue, rows);
	if (error != 0 && queue->fd >= 0)
		queue->on_error(queue, error);
	return (uint32_t)got == slots;
}

/*
 * libuv takes any POLLERR for the end of a descriptor: it stops polling and says UV_EBADF. Here it is how ENOBUFS shows,
 * after which the socket goes on, so polling is started again; what is really wrong, recvmmsg says with its errno.
 */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct nfqueue *queue = poll->data;
	(void)events;
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, on_readable);
	for (int batch = 0; batch < BATCHES_PER_EVENT && queue->fd >= 0; batch++)
		if (!receive_batch(queue))
			return;
}

/* ---- verdicts ---- */

static struct nfqnl_verdict verdict_of(const uint32_t *row, const uint8_t *payload, size_t payload_length)
{
	struct nfqnl_verdict verdict = {
		.packet_id = row[VERDICT_PACKET_ID],
		.verdict = row[VERDICT_VERDICT],
		.fields = row[VERDICT_FIELDS],
		.mark = row[VERDICT_MARK],
		.connmark = row[VERDICT_CONNMARK],
		.connmark_mask = row[VERDICT_CONNMARK_MASK],
	};
	uint32_t offset = row[VERDICT_PAYLOAD_OFFSET];
	uint32_t length = row[VERDICT_PAYLOAD_LENGTH];
	if (offset <= payload_length && length <= payload_length - offset) {
		verdict.payload = payload + offset;
		verdict.payload_length = length;
	} /* else: no octets, which the codec turns into a drop */
	return verdict;
}

/* Sends whole messages; 0 or an errno after which none of them was taken. */
static int send_messages(struct nfqueue *queue, size_t length)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	for (int attempt = 0;; attempt++) {
		ssize_t sent = sendto(queue->fd, queue->send_buffer, length, 0, (struct sockaddr *)&kernel, sizeof kernel);
		if (sent >= 0)
			return 0;
		if (errno != EINTR || attempt == SEND_ATTEMPTS)
			return errno;
	}
}

uint32_t nfqueue_send(struct nfqueue *queue, const uint32_t *rows, uint32_t count, const uint8_t *payload,
		      size_t payload_length, int *error)
{
	size_t room = queue->send_room;
	uint32_t taken = 0;
	*error = 0;
	if (queue->fd < 0) {
		*error = EBADF;
		return 0;
	}
	while (taken < count) {
		size_t length = 0;
		uint32_t built = taken;
		while (built < count) {
			struct nfqnl_verdict verdict =
				verdict_of(rows + (size_t)built * VERDICT_WORDS, payload, payload_length);
			size_t octets = nfqnl_encode_verdict(queue->send_buffer + length, room - length,
							     queue->options.queue_num, &verdict);
			if (octets == 0)
				break;
			length += octets;
			built++;
		}
		*error = send_messages(queue, length);
		if (*error == 0) {
			taken = built;
		} else if ((*error == ENOBUFS || *error == ENOMEM || *error == EAGAIN) && room > NFQNL_VERDICT_ROOM) {
			room = NFQNL_VERDICT_ROOM; /* memory is short: a smaller message may still find some */
			*error = 0;
		} else {
			return taken;
		}
	}
	return taken;
}

/* ---- handing over ---- */

void nfqueue_pause(struct nfqueue *queue)
{
	if (queue->fd >= 0)
		uv_poll_stop(&queue->poll);
}

void nfqueue_resume(struct nfqueue *queue)
{
	if (queue->fd >= 0)
		uv_poll_start(&queue->poll, UV_READABLE, on_readable);
}

/* ---- closing ---- */

static void on_poll_closed(uv_handle_t *handle)
{
	struct nfqueue *queue = handle->data;
	free_memory(queue);
	queue->on_closed(queue);
}

void nfqueue_close(struct nfqueue *queue)
{
	if (queue->fd < 0)
		return;
	uv_close((uv_handle_t *)&queue->poll, on_poll_closed);
	close(queue->fd);
	queue->fd = -1;
}
