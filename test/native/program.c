/* native/program.c without Node, in a process that ignores and blocks signals: says of each case that is not as it should be. */
#include "../../native/program.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

static void expect(const char *name, int is_so)
{
	failures += !is_so;
	if (!is_so)
		printf("%s: not so\n", name);
}

/* `argv` as sh's script; to be forgotten. */
static struct program_ending run(const char *script, const char *input, size_t length, size_t most, uint32_t patience)
{
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	struct program_request request = {
		.argv = argv,
		.input = (const uint8_t *)input,
		.input_length = length,
		.kept = STDOUT_FILENO,
		.most_octets = most,
		.patience_ms = patience,
	};
	struct program_ending ending;
	program_run(&request, &ending);
	return ending;
}

static int descriptors(void)
{
	int count = 0;
	DIR *all = opendir("/proc/self/fd");
	while (readdir(all) != NULL)
		count++;
	closedir(all);
	return count;
}

static void missing_one(void)
{
	char *argv[] = { "tlspin-no-such-program", NULL };
	struct program_request request = { .argv = argv, .kept = STDERR_FILENO, .most_octets = 1, .patience_ms = 1000 };
	struct program_ending ending;
	program_run(&request, &ending);
	expect("a program that is not there", ending.error == ENOENT && ending.length == 0);
}

int main(void)
{
	enum { LENGTH = 1 << 20 };
	static char input[LENGTH];
	struct program_ending ending;
	sigset_t all;
	memset(input, 'x', sizeof input);
	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	int before = descriptors();

	missing_one();
	ending = run("cat", input, sizeof input, LENGTH, 60000);
	expect("what is read is printed", ending.error == 0 && ending.status == 0 && ending.signal == 0 &&
						  ending.length == LENGTH && memcmp(ending.output, input, LENGTH) == 0);
	program_forget(&ending);
	ending = run("cat", input, sizeof input, LENGTH - 1, 60000);
	expect("nobody prints more than that", ending.said_too_much);
	program_forget(&ending);
	ending = run("exec <&-; sleep 0.1; exit 3", input, sizeof input, 10, 60000);
	expect("an input that is closed", ending.status == 3 && ending.signal == 0);
	ending = run("kill -TERM $$; sleep 10", NULL, 0, 10, 5000);
	expect("a signal is neither blocked nor ignored", ending.signal == SIGTERM && !ending.took_too_long);
	ending = run("trap '' TERM; exec sleep 10", NULL, 0, 10, 200);
	expect("a deadline", ending.took_too_long && ending.signal == SIGKILL);
	ending = run("sleep 2 & echo x", NULL, 0, 10, 200);
	expect("whom it leaves behind", !ending.took_too_long && ending.status == 0 && ending.length == 2);
	program_forget(&ending);

	expect("descriptors are closed", descriptors() == before);
	expect("children are waited for", waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	puts(failures == 0 ? "all so" : "");
	return failures != 0;
}
