/*
 * Threads that block every signal, as Node's do, are confined with the rest: after confine() /proc says of each thread who
 * it is and what it may. `confine USER`; writes one line a thread: its user, its groups, its capabilities, no_new_privs.
 */
#include "../../native/confine.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 8 };

static void *wait_for_ever(void *unused)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (;;)
		pause();
	return unused;
}

static void show(const char *task)
{
	char path[300], line[256];
	snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
	FILE *status = fopen(path, "r");
	while (status != NULL && fgets(line, sizeof line, status) != NULL)
		if (strncmp(line, "Uid:", 4) == 0 || strncmp(line, "Gid:", 4) == 0 || strncmp(line, "Cap", 3) == 0 ||
		    strncmp(line, "NoNewPrivs:", 11) == 0) {
			line[strcspn(line, "\n")] = ' ';
			printf("%s", line);
		}
	printf("\n");
	if (status != NULL)
		fclose(status);
}

int main(int count, char **arguments)
{
	pthread_t thread;
	const char *operation = "";
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, wait_for_ever, NULL);
	usleep(50000);
	int error = confine(count > 1 ? arguments[1] : NULL, CAP_NET_ADMIN, &operation);
	if (error != 0) {
		fprintf(stderr, "%s: %s\n", operation, strerror(error));
		return 1;
	}
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks))
		if (entry->d_name[0] != '.')
			show(entry->d_name);
	closedir(tasks);
	return 0;
}
