/*
 * Giving up privileges: see confine.h.
 *
 * Capabilities belong to a thread, and the kernel changes only those of the caller. So each thread is made to do it
 * itself, in a signal handler. Some threads of Node block every signal that can be blocked; the C library's own, by which its
 * setuid() reaches all threads, cannot be, and its disposition is lent for the moment (as libcap's libpsx does).
 *
 *   every thread: keep what is permitted across setuid, lower the bounding set
 *   setgroups, setresgid, setresuid (the C library: in every thread)
 *   every thread: the one capability permitted, effective, inheritable and ambient; no_new_privs
 */
#include "confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#define SIGNAL_SETXID 33
#else
#define SIGNAL_SETXID 34 /* musl's SIGSYNCCALL */
#endif
#define KERNEL_SIGSET_OCTETS 8
#define MOST_THREADS 512
#define MOST_GROUPS 1024
#define PATIENCE_MS 2000

/* ---- what each thread does ---- */

typedef int step(unsigned capability);

static int keep_and_bound(unsigned capability)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return errno;
	for (unsigned other = 0; prctl(PR_CAPBSET_READ, other, 0, 0, 0) >= 0; other++)
		/* Who may not lower it gains nothing by it either: no_new_privs follows. */
		if (other != capability && prctl(PR_CAPBSET_DROP, other, 0, 0, 0) < 0 && errno != EPERM)
			return errno;
	return 0;
}

static int settle(unsigned capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	memset(data, 0, sizeof data);
	if (syscall(SYS_capget, &header, data) < 0)
		return errno;
	for (unsigned word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
		uint32_t kept = word == capability / 32 ? data[word].permitted & 1u << capability % 32 : 0;
		data[word].permitted = data[word].effective = data[word].inheritable = kept;
	}
	if (syscall(SYS_capset, &header, data) < 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return errno;
	if (data[capability / 32].permitted != 0 &&
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
		return errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 ? errno : 0;
}

/* ---- in every thread ---- */

/* As the kernel takes it: what it has beside the handler (flags, a way back) the C library knows. */
union disposition {
	void (*handler)(int);
	unsigned char octets[128];
};

enum { TOLD = -1, DONE = 0 /* or an errno */ };

static struct {
	step *step;
	unsigned capability;
	unsigned count;
	pid_t threads[MOST_THREADS];
	atomic_int outcomes[MOST_THREADS];
} round_of;

static void on_signal(int number)
{
	int before = errno;
	pid_t self = (pid_t)syscall(SYS_gettid);
	(void)number;
	for (unsigned i = 0; i < round_of.count; i++)
		if (round_of.threads[i] == self)
			atomic_store(&round_of.outcomes[i], round_of.step(round_of.capability));
	errno = before;
}

static int change_disposition(int number, const union disposition *next, union disposition *before)
{
	return syscall(SYS_rt_sigaction, number, next, before, KERNEL_SIGSET_OCTETS) < 0 ? errno : 0;
}

/* The C library lets nobody have that signal, but says of another one how the handler is to be called; round_of is empty. */
static int describe_handler(union disposition *ours)
{
	struct sigaction handler = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before;
	sigfillset(&handler.sa_mask);
	memset(ours, 0, sizeof *ours);
	if (sigaction(SIGURG, &handler, &before) < 0)
		return errno;
	int error = change_disposition(SIGURG, NULL, ours);
	return sigaction(SIGURG, &before, NULL) < 0 ? errno : error;
}

static bool is_known(pid_t thread)
{
	for (unsigned i = 0; i < round_of.count; i++)
		if (round_of.threads[i] == thread)
			return true;
	return false;
}

/* A thread that has ended has nothing to give up. */
static int await(unsigned index)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	for (int waited = 0; waited < PATIENCE_MS * 10; waited++) {
		int outcome = atomic_load(&round_of.outcomes[index]);
		if (outcome != TOLD)
			return outcome;
		if (syscall(SYS_tgkill, getpid(), round_of.threads[index], 0) < 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return ETIMEDOUT;
}

static int tell(pid_t thread)
{
	unsigned index = round_of.count;
	if (index == MOST_THREADS)
		return EAGAIN;
	round_of.threads[index] = thread;
	atomic_store(&round_of.outcomes[index], TOLD);
	round_of.count++;
	if (syscall(SYS_tgkill, getpid(), thread, SIGNAL_SETXID) < 0)
		return errno == ESRCH ? 0 : errno;
	return await(index);
}

/* As this process numbers it: /proc may be that of a PID namespace around ours. 0 where it has ended. */
static pid_t thread_at(const char *task)
{
	char path[64], status[4096];
	snprintf(path, sizeof path, "/proc/self/task/%.20s/status", task);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t octets = read(fd, status, sizeof status - 1);
	close(fd);
	status[octets < 0 ? 0 : octets] = '\0';
	const char *numbers = strstr(status, "\nNSpid:");
	if (numbers == NULL)
		return 0;
	char line[256];
	snprintf(line, sizeof line, "%.*s", (int)strcspn(numbers + 1, "\n"), numbers + 1);
	const char *last = strrchr(line, '\t');
	return last == NULL ? 0 : (pid_t)atoi(last + 1);
}

/* Until none is found that is not done: what a thread makes meanwhile may have been made before it was. */
static int tell_all(void)
{
	bool found = true;
	int error = 0;
	while (found && error == 0) {
		DIR *tasks = opendir("/proc/self/task");
		if (tasks == NULL)
			return errno;
		found = false;
		for (struct dirent *entry = readdir(tasks); entry != NULL && error == 0; entry = readdir(tasks)) {
			pid_t thread = entry->d_name[0] == '.' ? 0 : thread_at(entry->d_name);
			if (thread <= 0 || is_known(thread))
				continue;
			found = true;
			error = tell(thread);
		}
		closedir(tasks);
	}
	return error != 0 || is_known((pid_t)syscall(SYS_gettid)) ? error : ENOENT;
}

static int in_every_thread(step *step, unsigned capability)
{
	union disposition ours, before;
	round_of.step = step;
	round_of.capability = capability;
	round_of.count = 0;
	memset(&before, 0, sizeof before);
	int error = describe_handler(&ours);
	if (error == 0)
		error = change_disposition(SIGNAL_SETXID, &ours, &before);
	if (error != 0)
		return error;
	error = tell_all();
	int restored = change_disposition(SIGNAL_SETXID, &before, NULL);
	return error != 0 ? error : restored;
}

/* ---- the whole ---- */

static struct passwd *find_user(const char *user)
{
	char *end;
	unsigned long number = strtoul(user, &end, 10);
	errno = 0;
	return *user != '\0' && *end == '\0' ? getpwuid((uid_t)number) : getpwnam(user);
}

static int become(const struct passwd *user)
{
	static gid_t groups[MOST_GROUPS];
	int count = MOST_GROUPS;
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		return E2BIG;
	if (setgroups((size_t)count, groups) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return errno;
	return 0;
}

int confine(const char *user, unsigned capability, const char **operation)
{
	struct passwd *found = NULL;
	const struct rlimit none = { 0, 0 };

	*operation = "find the user";
	if (user != NULL && (found = find_user(user)) == NULL)
		return errno != 0 ? errno : ENOENT;

	*operation = "lower the bounding set";
	int error = in_every_thread(keep_and_bound, capability);
	if (error != 0)
		return error;

	*operation = "become the user";
	bool is_another = found != NULL && (found->pw_uid != getuid() || found->pw_uid != geteuid());
	if (is_another && (error = become(found)) != 0)
		return error;

	*operation = "keep one capability";
	error = in_every_thread(settle, capability);
	if (error != 0)
		return error;

	/* A core pattern that is a pipe does not ask the limit, but whether the process may be dumped. */
	*operation = "forbid core dumps";
	return setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? errno : 0;
}
