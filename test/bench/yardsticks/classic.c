/*
 * A netfilter queue as the examples of libnetfilter_queue have it: one packet a receive, one verdict a send, buffers as
 * they come.
 *
 *   classic QUEUE           writes "ready" when it is bound
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static int on_packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *context)
{
	(void)message;
	(void)context;
	struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
	return nfq_set_verdict(queue, header == NULL ? 0 : ntohl(header->packet_id), NF_ACCEPT, 0, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: classic QUEUE\n");
		return 2;
	}
	struct nfq_handle *handle = nfq_open();
	if (handle == NULL) {
		perror("nfq_open");
		return 1;
	}
	struct nfq_q_handle *queue = nfq_create_queue(handle, (uint16_t)atoi(argv[1]), on_packet, NULL);
	if (queue == NULL || nfq_set_mode(queue, NFQNL_COPY_PACKET, 0xffff) < 0) {
		perror("nfq_create_queue");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	static char buffer[128 * 1024] __attribute__((aligned));
	for (;;) {
		ssize_t got = recv(nfq_fd(handle), buffer, sizeof(buffer), 0);
		if (got >= 0)
			nfq_handle_packet(handle, buffer, (int)got);
		else if (errno != ENOBUFS && errno != EINTR)
			break;
	}
	perror("recv");
	return 1;
}
