/* What the program needs of Linux beside the queue, and Node does not offer. Plain system calls, no state. */
#ifndef TLSPIN_PROCESS_H
#define TLSPIN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SO_MARK on a socket: 0 or an errno. */
int process_set_mark(int fd, uint32_t mark);

/* One whole number that is set on a socket (setsockopt). */
struct process_option {
	int level;
	int name;
	int value;
};

/* One end of a connection: an address of 4 or 16 octets, and a port. */
struct process_end {
	const uint8_t *address;
	size_t length;
	uint16_t port;
};

/*
 * A socket for a TCP connection that is still to be begun, from there, whosever it is as far as its options allow it; no
 * call waits for it. The descriptor, or a negated errno.
 */
int process_stream_from(const struct process_end *from, const struct process_option *options, size_t count);

/*
 * What the kernel keeps of such a connection that is over goes, where both ends used timestamps; nothing is sent. 0 or an
 * errno.
 */
int process_forget_stream(const struct process_end *from, const struct process_end *to,
			  const struct process_option *options, size_t count);

/*
 * On a connection whose SYN/ACK is still unanswered (TCP_DEFER_ACCEPT): the acknowledgment, and these octets right behind
 * it. How many were taken, or a negated errno.
 */
int process_say_behind_ack(int fd, const void *octets, size_t length);

/* Whether the calling thread has a capability (CAP_* of linux/capability.h) in its effective set. */
bool process_has_capability(unsigned capability);

/* Who connected to a unix socket, as of that moment (SO_PEERCRED): 0 or an errno. */
struct process_peer {
	uint32_t pid;
	uint32_t uid;
	uint32_t gid;
};
int process_peer_credentials(int fd, struct process_peer *peer);

/* How many descriptors may travel beside octets (SCM_RIGHTS). */
enum { PROCESS_DESCRIPTORS = 128 };

/*
 * One datagram to the service manager (sd_notify(3)), and descriptors beside it; `path` is $NOTIFY_SOCKET, '@' for the
 * abstract namespace. 0 or an errno.
 */
int process_notify(const char *path, const char *message, size_t length, const int *descriptors, size_t count);

/*
 * A unix stream on which descriptors travel beside the octets. Nothing here waits, but connecting for room among those who
 * wait, for two seconds at the most.
 */

/* The descriptor, or a negated errno. Or of datagrams instead of a stream. */
int process_connect(const char *path, bool datagrams);

/*
 * A socket of netlink that hears of these groups (a bit each, the first one the lowest), and asks; no call waits for it.
 * `asked_for`: of that only which somebody asked the kernel to do, not what packets do. The descriptor, or a negated errno.
 */
int process_subscribe(int protocol, uint32_t groups, bool asked_for);

/*
 * A device of IP packets (tun) of that name, which has received what is written to the descriptor; it goes with it. No call
 * waits for it. The descriptor, or a negated errno.
 */
int process_open_tunnel(const char *name, uint32_t *ifindex);

/* A socket of whole frames (packet(7)) that hears none. The descriptor, or a negated errno. */
int process_open_frames(void);

/* Both 0 or an errno. */
int process_send_frame(int fd, uint32_t ifindex, const void *frame, size_t length);
int process_write_packet(int fd, const void *packet, size_t length);

/* What a tunnel was given to send goes. */
void process_discard_packets(int fd);

/* How many BPF programs are attached to a device by way of that attach type (linux/bpf.h); or a negated errno. */
long process_bpf_programs(uint32_t ifindex, uint32_t attach_type);

/* How many octets were taken, the descriptors with the first of them; or a negated errno. */
long process_send(int fd, const void *octets, size_t length, const int *descriptors, size_t count);

/* How many octets came, 0 at the end; or a negated errno. Descriptors are closed on exec, and whose they are now closes them. */
long process_receive(int fd, void *octets, size_t room, int *descriptors, size_t *count);

#endif
