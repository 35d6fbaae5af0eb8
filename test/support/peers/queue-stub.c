/*
 * Stands in for the engine where only the rules are looked at: takes one queue's packets, accepts each, and sets bits of
 * the packet mark as it is told, which sends the packet through the rules again (NF_REPEAT). Says `ready`, then one line a packet:
 *
 *   HOOK SOURCE PORT DESTINATION PORT FLAGS LENGTH MARK
 *
 * Usage: queue-stub QUEUE MASK TOLD SYN DATA
 *
 *   SYN, DATA   the bits (within MASK, beside TOLD) that a SYN or SYN/ACK leaves with, and a packet with data; the others
 *               leave with none, as an engine's do that change nothing
 */
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

#define SYN 0x02

static int queue, netlink;
static uint32_t mask, told, syn_bits, data_bits;
static char message[4096];

static int attribute(int at, int type, const void *data, int length) {
    struct nlattr *nla = (struct nlattr *)(message + at);
    nla->nla_len = NLA_HDRLEN + length;
    nla->nla_type = type;
    memcpy(message + at + NLA_HDRLEN, data, length);
    return at + NLA_ALIGN(nla->nla_len);
}

static int begin(int type) {
    struct nlmsghdr *header = (struct nlmsghdr *)message;
    struct nfgenmsg *family = NLMSG_DATA(header);
    memset(message, 0, sizeof message);
    header->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type;
    header->nlmsg_flags = NLM_F_REQUEST;
    family->res_id = htons(queue);
    return NLMSG_LENGTH(sizeof *family);
}

static void deliver(int length) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ((struct nlmsghdr *)message)->nlmsg_len = length;
    if (sendto(netlink, message, length, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) perror("sendto");
}

static void bind_queue(void) {
    struct nfqnl_msg_config_cmd command = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET)};
    struct nfqnl_msg_config_params params = {.copy_range = htonl(0xffff), .copy_mode = NFQNL_COPY_PACKET};
    deliver(attribute(begin(NFQNL_MSG_CONFIG), NFQA_CFG_CMD, &command, sizeof command));
    deliver(attribute(begin(NFQNL_MSG_CONFIG), NFQA_CFG_PARAMS, &params, sizeof params));
}

static void decide(struct nlmsghdr *header) {
    char source[INET6_ADDRSTRLEN], target[INET6_ADDRSTRLEN];
    struct nfqnl_msg_packet_hdr *packet = NULL;
    uint8_t *ip = NULL;
    uint32_t mark = 0;
    int captured = 0, left = header->nlmsg_len - NLMSG_LENGTH(sizeof(struct nfgenmsg));
    char *at = (char *)NLMSG_DATA(header) + sizeof(struct nfgenmsg);

    while (left >= NLA_HDRLEN) {
        struct nlattr *nla = (struct nlattr *)at;
        if ((nla->nla_type & NLA_TYPE_MASK) == NFQA_PACKET_HDR) packet = (void *)(at + NLA_HDRLEN);
        if ((nla->nla_type & NLA_TYPE_MASK) == NFQA_MARK) mark = ntohl(*(uint32_t *)(at + NLA_HDRLEN));
        if ((nla->nla_type & NLA_TYPE_MASK) == NFQA_PAYLOAD) {
            ip = (uint8_t *)at + NLA_HDRLEN;
            captured = nla->nla_len - NLA_HDRLEN;
        }
        at += NLA_ALIGN(nla->nla_len);
        left -= NLA_ALIGN(nla->nla_len);
    }
    if (packet == NULL || ip == NULL) return;

    int version = ip[0] >> 4;
    uint8_t *tcp = ip + (version == 4 ? (ip[0] & 15) * 4 : 40);
    inet_ntop(version == 4 ? AF_INET : AF_INET6, ip + (version == 4 ? 12 : 8), source, sizeof source);
    inet_ntop(version == 4 ? AF_INET : AF_INET6, ip + (version == 4 ? 16 : 24), target, sizeof target);
    int data = captured - (int)(tcp - ip) - (tcp[12] >> 4) * 4;
    printf("%u %s %u %s %u %02x %d %x\n", packet->hook, source, tcp[0] << 8 | tcp[1], target, tcp[2] << 8 | tcp[3],
           tcp[13], captured, mark);
    fflush(stdout);

    uint32_t bits = tcp[13] & SYN ? syn_bits : data > 0 ? data_bits : 0;
    uint32_t after = htonl((mark & ~mask) | bits | (bits ? told : 0));
    struct nfqnl_msg_verdict_hdr verdict = {.verdict = htonl(bits ? NF_REPEAT : NF_ACCEPT), .id = packet->packet_id};
    int length = attribute(begin(NFQNL_MSG_VERDICT), NFQA_VERDICT_HDR, &verdict, sizeof verdict);
    deliver(attribute(length, NFQA_MARK, &after, sizeof after));
}

int main(int argc, char **argv) {
    static char buffer[1 << 17];
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    if (argc != 6) return 2;
    queue = atoi(argv[1]);
    mask = strtoul(argv[2], NULL, 0);
    told = strtoul(argv[3], NULL, 0);
    syn_bits = strtoul(argv[4], NULL, 0);
    data_bits = strtoul(argv[5], NULL, 0);
    netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
    if (netlink < 0 || bind(netlink, (struct sockaddr *)&own, sizeof own) < 0) return perror("netlink"), 1;
    bind_queue();
    puts("ready");
    fflush(stdout);
    for (;;) {
        int received = recv(netlink, buffer, sizeof buffer, 0);
        if (received < 0 && errno != EINTR && errno != ENOBUFS) return perror("recv"), 1;
        for (struct nlmsghdr *header = (void *)buffer; NLMSG_OK(header, received); header = NLMSG_NEXT(header, received)) {
            if (header->nlmsg_type == NLMSG_ERROR) return fprintf(stderr, "netlink error\n"), 1;
            decide(header);
        }
    }
}
