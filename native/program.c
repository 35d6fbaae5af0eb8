/*
 * A program from its beginning to its end: see program.h.
 *
 *   posix_spawnp -> write what it is to read, read what it prints, until it has ended and its pipe is closed -> reap
 *
 * The end is told by a pidfd, not by SIGCHLD, which is libuv's; libuv reaps only what it has started itself.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The C library may be older than its kernel; the numbers are those of every processor. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define OF_PIDFD ((idtype_t)3) /* P_PIDFD */
/* A pipe's, unless somebody changed it. */
#define FIRST_ROOM 0x10000u

extern char **environ;

struct running {
	/* Nobody else's until it is reaped; 0 from then on. */
	pid_t pid;
	int pidfd;
	/* Our ends; -1 where there is none any more. */
	int input;
	int output;
};

static void close_end(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = -1;
}

/* ---- its beginning ---- */

static int pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Asked about ourselves, who are no child of ours: a kernel that can wait for a pidfd says so, an older one does not know it. */
static int ask_for_support(void)
{
	siginfo_t info;
	int self = pidfd_open(getpid());
	if (self < 0)
		return errno;
	int answer = waitid(OF_PIDFD, (id_t)self, &info, WEXITED | WNOHANG) < 0 ? errno : 0;
	close(self);
	return answer == ECHILD ? 0 : ENOSYS;
}

/* Both ends close on exec; of ours, no call waits. */
static int open_pipe(int *ours, int *theirs, bool is_read_here)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	*ours = ends[is_read_here ? 0 : 1];
	*theirs = ends[is_read_here ? 1 : 0];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? errno : 0;
}

/* Descriptors 0 to 2 are open in every process of Node, so that none of `theirs` is one of them. */
static int describe_streams(posix_spawn_file_actions_t *actions, const int *theirs)
{
	int error = 0;
	for (int stream = STDIN_FILENO; stream <= STDERR_FILENO && error == 0; stream++)
		error = theirs[stream] >= 0
				? posix_spawn_file_actions_adddup2(actions, theirs[stream], stream)
				: posix_spawn_file_actions_addopen(actions, stream, "/dev/null", O_RDWR, 0);
	return error;
}

/* The program has no part in what is ignored, handled or blocked here. */
static int describe_signals(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	int error = posix_spawnattr_setsigdefault(attributes, &all);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	return error != 0 ? error : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int spawn(char *const argv[], const int *theirs, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		error = describe_streams(&actions, theirs);
		if (error == 0)
			error = describe_signals(&attributes);
		if (error == 0)
			error = posix_spawnp(pid, argv[0], &actions, &attributes, argv, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Undoes what `start` has done so far; a program that runs has been given nothing to read yet. */
static void abandon(struct running *running)
{
	close_end(&running->input);
	close_end(&running->output);
	if (running->pid == 0)
		return;
	kill(running->pid, SIGKILL);
	while (waitpid(running->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* 0, or an errno, and then nothing runs. */
static int start(const struct program_request *request, struct running *running)
{
	int theirs[] = { -1, -1, -1 };
	*running = (struct running){ .pid = 0, .pidfd = -1, .input = -1, .output = -1 };
	int error = ask_for_support();
	if (error == 0 && request->input != NULL)
		error = open_pipe(&running->input, &theirs[STDIN_FILENO], false);
	if (error == 0)
		error = open_pipe(&running->output, &theirs[request->kept], true);
	if (error == 0)
		error = spawn(request->argv, theirs, &running->pid);
	for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
		close_end(&theirs[stream]);
	if (error == 0) {
		running->pidfd = pidfd_open(running->pid);
		error = running->pidfd < 0 ? errno : 0;
	} else {
		running->pid = 0;
	}
	if (error != 0)
		abandon(running);
	return error;
}

/* ---- what it reads and prints ---- */

/* An input that the program does not want is at its end. */
static void write_on(struct running *running, const struct program_request *request, size_t *written)
{
	ssize_t taken = write(running->input, request->input + *written, request->input_length - *written);
	if (taken < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	*written += taken < 0 ? 0 : (size_t)taken;
	if (taken < 0 || *written == request->input_length)
		close_end(&running->input);
}

/* Memory of its own, which is the system's again afterwards: malloc would keep some for each thread that there ever was. */
static bool make_room(struct program_ending *ending)
{
	size_t room = ending->room == 0 ? FIRST_ROOM : ending->room * 2;
	void *output = ending->room == 0 ? mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
					 : mremap(ending->output, ending->room, room, MREMAP_MAYMOVE);
	if (output == MAP_FAILED)
		return false;
	ending->output = output;
	ending->room = room;
	return true;
}

static void read_on(struct running *running, size_t most_octets, struct program_ending *ending)
{
	if (ending->length == ending->room && !make_room(ending)) {
		ending->said_too_much = true;
		return;
	}
	ssize_t got = read(running->output, ending->output + ending->length, ending->room - ending->length);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		close_end(&running->output);
	else
		ending->length += (size_t)got;
	ending->said_too_much = ending->length > most_octets;
}

/* ---- its end ---- */

/* `options`: WNOHANG, or 0 to wait for it. */
static void reap(struct running *running, int options, struct program_ending *ending)
{
	siginfo_t info = { .si_pid = 0 };
	int answer;
	do
		answer = waitid(OF_PIDFD, (id_t)running->pidfd, &info, WEXITED | options);
	while (answer < 0 && errno == EINTR);
	if (answer == 0 && info.si_pid == 0)
		return;
	running->pid = 0;
	if (answer < 0)
		return;
	ending->status = info.si_code == CLD_EXITED ? info.si_status : -1;
	ending->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Until it has ended and nobody can print in its place any more, or one of the bounds is reached. Whom it has left behind is
 * waited for no longer than it would be itself.
 */
static void converse(struct running *running, const struct program_request *request, struct program_ending *ending)
{
	int64_t deadline = now_ms() + request->patience_ms;
	size_t written = 0;
	while (running->pid != 0 || running->output >= 0) {
		struct pollfd ends[] = {
			{ .fd = running->input, .events = POLLOUT },
			{ .fd = running->output, .events = POLLIN },
			{ .fd = running->pid != 0 ? running->pidfd : -1, .events = POLLIN },
		};
		int64_t left = deadline - now_ms();
		ending->took_too_long = left <= 0 && running->pid != 0;
		if (left <= 0 || ending->said_too_much)
			return;
		if (poll(ends, sizeof ends / sizeof *ends, (int)left) < 0)
			continue;
		if (ends[0].revents != 0)
			write_on(running, request, &written);
		if (ends[1].revents != 0)
			read_on(running, request->most_octets, ending);
		if (ends[2].revents != 0)
			reap(running, WNOHANG, ending);
	}
}

void program_run(const struct program_request *request, struct program_ending *ending)
{
	struct running running;
	*ending = (struct program_ending){ .status = -1, .signal = -1 };
	ending->error = start(request, &running);
	if (ending->error != 0)
		return;
	converse(&running, request, ending);
	if (running.pid != 0) {
		kill(running.pid, SIGKILL);
		reap(&running, 0, ending);
	}
	close_end(&running.input);
	close_end(&running.output);
	close_end(&running.pidfd);
}

void program_forget(struct program_ending *ending)
{
	if (ending->room != 0)
		munmap(ending->output, ending->room);
	ending->room = ending->length = 0;
}
