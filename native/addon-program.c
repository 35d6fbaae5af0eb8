/*
 * The addon's surface for other programs (program.h): each is run by a thread of its own, so that nobody waits for it, not
 * even while it is started. Arguments in, results out.
 *
 *   runProgram({ argv, input, kept, patienceMs, mostOctets }, onEnd)     0 or an errno: it is not run then
 *       argv        file and arguments
 *       input       a string, or undefined
 *       kept        1 or 2: standard output or errors
 *       onEnd({ errno, tookTooLong, saidTooMuch, status, signal, output })     see program_ending
 *
 * What is not said to answer with an errno throws.
 */
#include "addon.h"
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#define MOST_ARGUMENTS 64
#define STACK_OCTETS (256u * 1024u)

struct run {
	struct program_request request;
	struct program_ending ending;
	char *argv[MOST_ARGUMENTS + 1];
	char *input;
	uv_thread_t thread;
	napi_threadsafe_function on_end;
	/* Node frees on_end with the environment, whoever still has it: it is called under this lock, and only until then. */
	uv_mutex_t lock;
	bool is_abandoned;
};

static void forget(struct run *run)
{
	for (char **argument = run->argv; *argument != NULL; argument++)
		free(*argument);
	free(run->input);
	program_forget(&run->ending);
	uv_mutex_destroy(&run->lock);
	free(run);
}

/* ---- the end ---- */

static void set_number(napi_env env, napi_value object, const char *name, int32_t number)
{
	napi_value value;
	napi_create_int32(env, number, &value);
	napi_set_named_property(env, object, name, value);
}

static void set_bool(napi_env env, napi_value object, const char *name, bool is_so)
{
	napi_value value;
	napi_get_boolean(env, is_so, &value);
	napi_set_named_property(env, object, name, value);
}

static napi_value ending_value(napi_env env, const struct program_ending *ending)
{
	napi_value result, output;
	/* There are strings that V8 has no room for. */
	bool is_told = napi_create_string_utf8(env, ending->length == 0 ? "" : ending->output, ending->length, &output) ==
		       napi_ok;
	if (!is_told)
		napi_create_string_utf8(env, "", 0, &output);
	napi_create_object(env, &result);
	set_number(env, result, "errno", ending->error);
	set_bool(env, result, "tookTooLong", ending->took_too_long);
	set_bool(env, result, "saidTooMuch", ending->said_too_much || !is_told);
	set_number(env, result, "status", ending->status);
	set_number(env, result, "signal", ending->signal);
	napi_set_named_property(env, result, "output", output);
	return result;
}

/* Whoever asked ends; the program goes on. Cleanup hooks run from the last to the first, and on_end's own is an earlier one. */
static void abandon(void *data)
{
	struct run *run = data;
	uv_mutex_lock(&run->lock);
	run->is_abandoned = true;
	uv_mutex_unlock(&run->lock);
}

/* In the thread that asked; `env` is NULL where that has ended. */
static void tell(napi_env env, napi_value on_end, void *context, void *data)
{
	struct run *run = data;
	napi_value self, argument, result, exception;
	(void)context;
	uv_thread_join(&run->thread); /* it has nothing else to do */
	if (env != NULL) {
		napi_remove_env_cleanup_hook(env, abandon, run);
		argument = ending_value(env, &run->ending);
		napi_get_global(env, &self);
		if (napi_call_function(env, self, on_end, 1, &argument, &result) == napi_pending_exception &&
		    napi_get_and_clear_last_exception(env, &exception) == napi_ok)
			napi_fatal_exception(env, exception);
	}
	forget(run);
}

/* ---- the beginning ---- */

static void run_whole(void *data)
{
	struct run *run = data;
	program_run(&run->request, &run->ending);
	uv_mutex_lock(&run->lock);
	bool is_told = !run->is_abandoned &&
		       napi_call_threadsafe_function(run->on_end, run, napi_tsfn_blocking) == napi_ok;
	if (is_told)
		napi_release_threadsafe_function(run->on_end, napi_tsfn_release);
	uv_mutex_unlock(&run->lock);
	/* Else it is for `tell`, which waits for this thread. */
	if (!is_told)
		forget(run);
}

/*
 * Signals are for the threads that there were. By libuv and sigprocmask, which on Linux is the calling thread's: the C
 * library's own names for it are of versions that Node does not ask for. 0 or an errno.
 */
static int start_thread(struct run *run)
{
	const uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK_OCTETS };
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	int error = -uv_thread_create_ex(&run->thread, &options, run_whole, run);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* To be freed; NULL where it is no string. */
static char *read_string(napi_env env, napi_value value, size_t *length)
{
	if (napi_get_value_string_utf8(env, value, NULL, 0, length) != napi_ok)
		return NULL;
	char *string = malloc(*length + 1);
	if (string != NULL)
		napi_get_value_string_utf8(env, value, string, *length + 1, length);
	return string;
}

static napi_value named(napi_env env, napi_value object, const char *name)
{
	napi_value value = NULL;
	napi_get_named_property(env, object, name, &value);
	return value;
}

static bool read_argv(napi_env env, napi_value list, struct run *run)
{
	uint32_t count;
	size_t length;
	if (napi_get_array_length(env, list, &count) != napi_ok || count == 0 || count > MOST_ARGUMENTS)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		napi_value value;
		if (napi_get_element(env, list, i, &value) != napi_ok ||
		    (run->argv[i] = read_string(env, value, &length)) == NULL)
			return false;
	}
	run->request.argv = run->argv;
	return true;
}

static bool read_input(napi_env env, napi_value input, struct run *run)
{
	napi_valuetype type = napi_undefined;
	if (napi_typeof(env, input, &type) != napi_ok || type == napi_undefined)
		return type == napi_undefined;
	run->input = read_string(env, input, &run->request.input_length);
	run->request.input = (const uint8_t *)run->input;
	return run->input != NULL;
}

static bool read_request(napi_env env, napi_value options, struct run *run)
{
	uint32_t kept = 0, most_octets = 0;
	struct program_request *request = &run->request;
	if (napi_get_value_uint32(env, named(env, options, "kept"), &kept) != napi_ok ||
	    napi_get_value_uint32(env, named(env, options, "patienceMs"), &request->patience_ms) != napi_ok ||
	    napi_get_value_uint32(env, named(env, options, "mostOctets"), &most_octets) != napi_ok)
		return false;
	request->kept = (int)kept;
	request->most_octets = most_octets;
	return (kept == STDOUT_FILENO || kept == STDERR_FILENO) && request->patience_ms <= INT32_MAX &&
	       read_argv(env, named(env, options, "argv"), run) && read_input(env, named(env, options, "input"), run);
}

static napi_value run_program(napi_env env, napi_callback_info info)
{
	size_t count = 2;
	napi_value arguments[2], name;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	struct run *run = calloc(1, sizeof *run);
	if (run == NULL || uv_mutex_init(&run->lock) != 0) {
		free(run);
		return uint32_value(env, ENOMEM);
	}
	napi_create_string_utf8(env, "program", NAPI_AUTO_LENGTH, &name);
	if (count < 2 || !read_request(env, arguments[0], run) ||
	    napi_create_threadsafe_function(env, arguments[1], NULL, name, 0, 1, NULL, NULL, NULL, tell, &run->on_end) !=
		    napi_ok) {
		forget(run);
		napi_throw_type_error(env, NULL, "runProgram(options, onEnd)");
		return NULL;
	}
	napi_add_env_cleanup_hook(env, abandon, run);
	int error = start_thread(run);
	if (error != 0) {
		napi_remove_env_cleanup_hook(env, abandon, run);
		napi_release_threadsafe_function(run->on_end, napi_tsfn_abort);
		forget(run);
	}
	return uint32_value(env, (uint32_t)error);
}

napi_value define_program(napi_env env, napi_value exports)
{
	const napi_property_descriptor surface[] = {
		{ "runProgram", NULL, run_program, NULL, NULL, NULL, napi_enumerable, NULL },
	};
	return napi_define_properties(env, exports, sizeof surface / sizeof *surface, surface) == napi_ok ? exports :
													     NULL;
}
