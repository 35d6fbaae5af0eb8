/* System calls that Node does not offer: see process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int process_set_mark(int fd, uint32_t mark)
{
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0 ? errno : 0;
}

/* More than a device keeps. */
#define MOST_DISCARDED 1024

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/* Its size; 0 where it is none. */
static socklen_t address_of(const struct process_end *end, union address *address)
{
	memset(address, 0, sizeof *address);
	if (end->length == sizeof address->ipv4.sin_addr) {
		address->ipv4.sin_family = AF_INET;
		address->ipv4.sin_port = htons(end->port);
		memcpy(&address->ipv4.sin_addr, end->address, end->length);
		return sizeof address->ipv4;
	}
	if (end->length != sizeof address->ipv6.sin6_addr)
		return 0;
	address->ipv6.sin6_family = AF_INET6;
	address->ipv6.sin6_port = htons(end->port);
	memcpy(&address->ipv6.sin6_addr, end->address, end->length);
	return sizeof address->ipv6;
}

int process_stream_from(const struct process_end *from, const struct process_option *options, size_t count)
{
	const int on = 1;
	union address address;
	socklen_t size = address_of(from, &address);
	if (size == 0)
		return -EINVAL;
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* So that it can be forgotten. */
	bool is_done = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
	for (size_t i = 0; is_done && i < count; i++) {
		const struct process_option *option = &options[i];
		is_done = setsockopt(fd, option->level, option->name, &option->value, sizeof option->value) == 0;
	}
	if (!is_done || bind(fd, &address.any, size) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* A connection that begins in its place, in repair: it sends nothing, neither now nor at its end. */
int process_forget_stream(const struct process_end *from, const struct process_end *to,
			  const struct process_option *options, size_t count)
{
	const int on = 1;
	union address address;
	socklen_t size = address_of(to, &address);
	if (size == 0)
		return EINVAL;
	int fd = process_stream_from(from, options, count);
	if (fd < 0)
		return -fd;
	bool is_done = setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0 &&
		       connect(fd, &address.any, size) == 0;
	int error = is_done ? 0 : errno;
	close(fd);
	return error;
}

int process_say_behind_ack(int fd, const void *octets, size_t length)
{
	const int on = 1;
	if (setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on) < 0)
		return -errno;
	ssize_t sent = send(fd, octets, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : (int)sent;
}

bool process_has_capability(unsigned capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	memset(data, 0, sizeof data);
	if (capability >= 32 * _LINUX_CAPABILITY_U32S_3 || syscall(SYS_capget, &header, data) < 0)
		return false;
	return (data[capability / 32].effective >> (capability % 32)) & 1u;
}

int process_peer_credentials(int fd, struct process_peer *peer)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return errno;
	/* What is no unix socket, or is connected to nobody, has none. */
	if (size != sizeof credentials || credentials.uid == (uid_t)-1)
		return ENOTCONN;
	peer->pid = (uint32_t)credentials.pid;
	peer->uid = (uint32_t)credentials.uid;
	peer->gid = (uint32_t)credentials.gid;
	return 0;
}

union control {
	struct cmsghdr header;
	char octets[CMSG_SPACE(PROCESS_DESCRIPTORS * sizeof(int))];
};

/* `count` is at most PROCESS_DESCRIPTORS; `control` has to last as long as the message. */
static void attach(struct msghdr *message, union control *control, const int *descriptors, size_t count)
{
	if (count == 0)
		return;
	memset(control, 0, sizeof *control);
	message->msg_control = control->octets;
	message->msg_controllen = CMSG_SPACE(count * sizeof(int));
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
}

int process_notify(const char *path, const char *text, size_t length, const int *descriptors, size_t count)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t octets = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || octets < 2)
		return EINVAL;
	if (octets > sizeof address.sun_path)
		return ENAMETOOLONG;
	if (count > PROCESS_DESCRIPTORS)
		return E2BIG;
	memcpy(address.sun_path, path, octets);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	union control control;
	struct iovec vector = { .iov_base = (void *)text, .iov_len = length };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + octets),
		.msg_iov = &vector,
		.msg_iovlen = 1,
	};
	attach(&message, &control, descriptors, count);
	ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	int error = sent < 0 ? errno : 0;
	close(fd);
	return error;
}

int process_connect(const char *path, bool datagrams)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = 2 };
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* A message carries the port of the socket by which it came about, in the network's order as filters load it; 0: by none. */
static struct sock_filter asked_for_only[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
};

int process_subscribe(int protocol, uint32_t groups, bool asked_for)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct sock_fprog program = { .len = sizeof asked_for_only / sizeof *asked_for_only, .filter = asked_for_only };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return -errno;
	if ((asked_for && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int process_open_tunnel(const char *name, uint32_t *ifindex)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	if (strlen(name) >= sizeof request.ifr_name)
		return -EINVAL;
	strcpy(request.ifr_name, name);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	bool is_made = ioctl(fd, TUNSETIFF, &request) == 0;
	*ifindex = is_made ? if_nametoindex(request.ifr_name) : 0;
	if (*ifindex == 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int process_open_frames(void)
{
	/* Of no protocol: nothing comes by it, and nothing can be made to, for good. */
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog filter = { .len = 1, .filter = &nothing };
	const int locked = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &locked, sizeof locked) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int process_send_frame(int fd, uint32_t ifindex, const void *frame, size_t length)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex };
	ssize_t sent = sendto(fd, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof to);
	return sent < 0 ? errno : 0;
}

int process_write_packet(int fd, const void *packet, size_t length)
{
	return write(fd, packet, length) < 0 ? errno : 0;
}

void process_discard_packets(int fd)
{
	char octets[1];
	/* Of each the rest goes with its beginning. */
	for (int packets = 0; packets < MOST_DISCARDED && read(fd, octets, sizeof octets) > 0; packets++)
		;
}

long process_bpf_programs(uint32_t ifindex, uint32_t attach_type)
{
	union bpf_attr attr;
	memset(&attr, 0, sizeof attr);
	/* Newer headers call it target_ifindex. */
	attr.query.target_fd = ifindex;
	attr.query.attach_type = attach_type;
	return syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof attr) < 0 ? -errno : (long)attr.query.prog_cnt;
}

long process_send(int fd, const void *octets, size_t length, const int *descriptors, size_t count)
{
	union control control;
	struct iovec vector = { .iov_base = (void *)octets, .iov_len = length };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	if (count > PROCESS_DESCRIPTORS)
		return -E2BIG;
	attach(&message, &control, descriptors, count);
	ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent < 0 ? -errno : sent;
}

long process_receive(int fd, void *octets, size_t room, int *descriptors, size_t *count)
{
	union control control;
	struct iovec vector = { .iov_base = octets, .iov_len = room };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.octets,
		.msg_controllen = sizeof control,
	};
	*count = 0;
	ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return -errno;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t held = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(descriptors + *count, CMSG_DATA(header), held * sizeof(int));
		*count += held;
	}
	return got;
}
