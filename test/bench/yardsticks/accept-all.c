/*
 * The fastest program on a netfilter queue that can be written without leaving the kernel's interface: it accepts
 * everything and looks at nothing. Raw netlink; whole packets, those that segmentation offload merged too; many messages
 * a receive, many verdicts a send; large buffers. What the engine is measured against.
 *
 *   accept-all QUEUE        writes "ready" when it is bound
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOTS 64
#define SLOT (64 * 1024 + 1024)
#define RECEIVE_BUFFER (32 * 1024 * 1024)
#define QUEUE_LENGTH 8192

struct verdict {
	struct nlmsghdr nlh;
	struct nfgenmsg nfg;
	struct nlattr attr;
	struct nfqnl_msg_verdict_hdr hdr;
};

static char slab[SLOTS][SLOT];
static struct verdict verdicts[SLOTS];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

struct attribute {
	uint16_t type;
	uint16_t length;
	const void *value;
};

/* One configuration message and its acknowledgement. */
static void configure(int fd, uint16_t queue, const struct attribute *attributes, int count)
{
	char request[256] = { 0 };
	size_t length = NLMSG_HDRLEN + sizeof(struct nfgenmsg);
	for (int i = 0; i < count; i++) {
		struct nlattr *attribute = (struct nlattr *)(request + length);
		attribute->nla_type = attributes[i].type;
		attribute->nla_len = (uint16_t)(NLA_HDRLEN + attributes[i].length);
		memcpy(attribute + 1, attributes[i].value, attributes[i].length);
		length += NLA_ALIGN(attribute->nla_len);
	}
	struct nlmsghdr *nlh = (struct nlmsghdr *)request;
	nlh->nlmsg_len = (uint32_t)length;
	nlh->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	((struct nfgenmsg *)(nlh + 1))->res_id = htons(queue);
	if (send(fd, request, length, 0) < 0)
		die("send");

	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr error;
		char rest[256];
	} answer;
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)(NLMSG_HDRLEN + sizeof(answer.error.error)))
		die("recv");
	if (answer.error.error != 0) {
		errno = -answer.error.error;
		die("configure the queue");
	}
}

/* Copy mode comes last: until then no packet can stand between a request and its answer. */
static int open_queue(uint16_t queue)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl local = { .nl_family = AF_NETLINK };
	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		die("socket");
	int octets = RECEIVE_BUFFER, on = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
	setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on));

	struct nfqnl_msg_config_cmd bind_queue = { .command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET) };
	uint32_t length = htonl(QUEUE_LENGTH), gso = htonl(NFQA_CFG_F_GSO);
	struct nfqnl_msg_config_params copy = { .copy_range = htonl(0xffff), .copy_mode = NFQNL_COPY_PACKET };
	configure(fd, queue, (struct attribute[]){ { NFQA_CFG_CMD, sizeof(bind_queue), &bind_queue } }, 1);
	configure(fd, queue, (struct attribute[]){ { NFQA_CFG_QUEUE_MAXLEN, sizeof(length), &length } }, 1);
	configure(fd, queue,
		  (struct attribute[]){ { NFQA_CFG_FLAGS, sizeof(gso), &gso }, { NFQA_CFG_MASK, sizeof(gso), &gso } },
		  2);
	configure(fd, queue, (struct attribute[]){ { NFQA_CFG_PARAMS, sizeof(copy), &copy } }, 1);
	return fd;
}

/* The kernel puts NFQA_PACKET_HDR ahead of all other attributes. */
static int accept_packet(const char *message, unsigned length, struct verdict *verdict)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)message;
	const struct nlattr *first = (const struct nlattr *)(message + NLMSG_HDRLEN + sizeof(struct nfgenmsg));
	if (length < NLMSG_HDRLEN + sizeof(struct nfgenmsg) + NLA_HDRLEN + sizeof(struct nfqnl_msg_packet_hdr))
		return 0;
	if (nlh->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) || first->nla_type != NFQA_PACKET_HDR)
		return 0;
	const struct nfqnl_msg_packet_hdr *packet = (const struct nfqnl_msg_packet_hdr *)(first + 1);
	verdict->hdr.id = packet->packet_id;
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: accept-all QUEUE\n");
		return 2;
	}
	uint16_t queue = (uint16_t)atoi(argv[1]);
	int fd = open_queue(queue);

	struct mmsghdr messages[SLOTS] = { 0 };
	struct iovec iovecs[SLOTS];
	for (int i = 0; i < SLOTS; i++) {
		iovecs[i] = (struct iovec){ slab[i], SLOT };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iovecs[i], .msg_iovlen = 1 };
		verdicts[i] = (struct verdict){
			.nlh = { .nlmsg_len = sizeof(struct verdict),
				 .nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT,
				 .nlmsg_flags = NLM_F_REQUEST },
			.nfg = { .res_id = htons(queue) },
			.attr = { NLA_HDRLEN + sizeof(struct nfqnl_msg_verdict_hdr), NFQA_VERDICT_HDR },
			.hdr = { .verdict = htonl(NF_ACCEPT) },
		};
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = recvmmsg(fd, messages, SLOTS, MSG_WAITFORONE, NULL);
		if (count < 0) {
			if (errno == EINTR || errno == ENOBUFS)
				continue;
			die("recvmmsg");
		}
		unsigned used = 0;
		for (int i = 0; i < count; i++)
			used += (unsigned)accept_packet(slab[i], messages[i].msg_len, &verdicts[used]);
		if (used > 0 && send(fd, verdicts, used * sizeof(struct verdict), 0) < 0 && errno != ENOBUFS)
			die("send");
	}
}
