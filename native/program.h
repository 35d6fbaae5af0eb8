/*
 * Another program, run from its beginning to its end by the thread that asks, which waits for it. It is started without a
 * copy of this process: to fork one with a large memory takes milliseconds, and every thread then pays for each page that it
 * writes to. Plain system calls, no state; knows nothing of Node-API. Takes Linux 5.4.
 */
#ifndef TLSPIN_PROGRAM_H
#define TLSPIN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct program_request {
	/* Its name, looked for in $PATH, and its arguments; NULL at the end. Its environment is ours. */
	char *const *argv;
	/* Standard input, which is at its end from the beginning where it is NULL. */
	const uint8_t *input;
	size_t input_length;
	/* What is kept: STDOUT_FILENO or STDERR_FILENO; the other one is /dev/null. */
	int kept;
	/* What prints more, or takes longer, is killed. */
	size_t most_octets;
	uint32_t patience_ms;
};

struct program_ending {
	/* 0, or an errno where it could not be started; nothing has run then. ENOSYS: this kernel is too old. */
	int error;
	/* Why it was killed, where it was. */
	bool took_too_long;
	bool said_too_much;
	/* Its exit status, or the signal that ended it where that is not 0; both -1 where nobody knows. */
	int status;
	int signal;
	/* What it has printed, until program_forget. */
	char *output;
	size_t length;
	size_t room;
};

void program_run(const struct program_request *request, struct program_ending *ending);

void program_forget(struct program_ending *ending);

#endif
