/*
 * Preloaded: once the file $DEAF_WHEN is there, nothing arrives at the netlink sockets of a process any more, while the
 * kernel goes on to send to them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout)
{
	int (*real)(int, struct mmsghdr *, unsigned int, int, struct timespec *) = dlsym(RTLD_NEXT, "recvmmsg");
	const char *when = getenv("DEAF_WHEN");
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &nothing};
	if (!when || access(when, F_OK) != 0) return real(fd, messages, count, flags, timeout);
	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
	while (real(fd, messages, count, flags, timeout) > 0)
		;
	errno = EAGAIN;
	return -1;
}
