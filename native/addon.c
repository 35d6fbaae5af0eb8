/*
 * The addon's surface: arguments in, results out, nothing else. Context-aware, with all state in objects and instance
 * data, so that each worker thread loads it and opens queues of its own.
 *
 *   new Queue(options)          opens, binds and polls; throws an Error with `errno` and `operation`
 *   queue.conntrack             whether packets carry their connection (NFQA_CT)
 *   queue.receiveBuffer         octets that the kernel granted
 *   queue.send(count)           sends the first rows of `verdicts`; how many the kernel took
 *   queue.sendErrno()           why the last send took fewer; 0 when it took all
 *   queue.counters()            { received, enobufs, verdictErrors, malformed }
 *   queue.pause()               reads no more; the descriptor, which stays open here
 *   queue.resume()              reads on
 *   queue.close()
 *   SLOT                        octets of slab a message needs
 *   INTERFACE                   a number that grows with this surface: INTERFACE of src/source/binding.ts
 *   and what addon-process.c, addon-bridge.c and addon-program.c say
 */
#include "addon.h"
#include "nfqueue.h"

#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

/* What a Queue keeps alive while it is open, each by itself: batches call back, and an element of an array is looked up. */
enum { KEPT_SELF, KEPT_SLAB, KEPT_ROWS, KEPT_VERDICTS, KEPT_PAYLOAD, KEPT_ON_BATCH, KEPT_ON_ERROR, KEPT };

struct instance {
	struct nfqueue queue;
	napi_env env;
	napi_ref kept[KEPT];
	napi_async_context async;
	napi_async_cleanup_hook_handle cleanup;
	uint32_t *verdicts;
	size_t verdict_rows;
	uint8_t *payload;
	size_t payload_length;
	int send_errno;
	/* The memory goes when neither the JavaScript object, nor its `send`, nor the loop needs it any more. */
	bool wrapped;
	bool sends;
	bool open;
};

#define INTERFACE 8u

/* ---- arguments ---- */

static napi_value named(napi_env env, napi_value object, const char *name)
{
	napi_value value = NULL;
	napi_get_named_property(env, object, name, &value);
	return value;
}

static uint32_t named_uint32(napi_env env, napi_value object, const char *name)
{
	uint32_t value = 0;
	napi_get_value_uint32(env, named(env, object, name), &value);
	return value;
}

/* -1 where there is none. */
static int named_descriptor(napi_env env, napi_value object, const char *name)
{
	int32_t value = -1;
	napi_get_value_int32(env, named(env, object, name), &value);
	return value;
}

static bool named_bool(napi_env env, napi_value object, const char *name)
{
	bool value = false;
	napi_get_value_bool(env, named(env, object, name), &value);
	return value;
}

/* Elements of a Uint32Array or Uint8Array (a Buffer); NULL when it is neither or of the other type. */
static void *named_array(napi_env env, napi_value object, const char *name, napi_typedarray_type type, size_t *length)
{
	napi_typedarray_type actual;
	void *data = NULL;
	bool is_array = false;
	napi_value value = named(env, object, name);
	*length = 0;
	if (value == NULL || napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array)
		return NULL;
	if (napi_get_typedarray_info(env, value, &actual, length, &data, NULL, NULL) != napi_ok || actual != type)
		return NULL;
	return data;
}

static napi_value double_value(napi_env env, uint64_t number)
{
	napi_value value;
	napi_create_double(env, (double)number, &value);
	return value;
}

static struct instance *this_instance(napi_env env, napi_callback_info info, size_t *count, napi_value *arguments)
{
	napi_value self;
	void *instance = NULL;
	napi_get_cb_info(env, info, count, arguments, &self, NULL);
	if (napi_unwrap(env, self, &instance) != napi_ok)
		napi_throw_type_error(env, NULL, "not a Queue");
	return instance;
}

/* ---- from the loop to JavaScript ---- */

static void call_back(struct nfqueue *queue, uint32_t which, uint32_t argument)
{
	struct instance *instance = queue->owner;
	napi_env env = instance->env;
	napi_handle_scope scope;
	napi_value self, callback, value, result, exception;
	if (napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	if (napi_get_reference_value(env, instance->kept[KEPT_SELF], &self) == napi_ok &&
	    napi_get_reference_value(env, instance->kept[which], &callback) == napi_ok &&
	    napi_create_uint32(env, argument, &value) == napi_ok &&
	    napi_make_callback(env, instance->async, self, callback, 1, &value, &result) == napi_pending_exception &&
	    napi_get_and_clear_last_exception(env, &exception) == napi_ok)
		napi_fatal_exception(env, exception);
	napi_close_handle_scope(env, scope);
}

static void on_batch(struct nfqueue *queue, uint32_t count)
{
	call_back(queue, KEPT_ON_BATCH, count);
}

static void on_error(struct nfqueue *queue, int error)
{
	call_back(queue, KEPT_ON_ERROR, (uint32_t)error);
}

/* ---- lifetime ---- */

static void release(struct instance *instance)
{
	if (!instance->wrapped && !instance->sends && !instance->open)
		free(instance);
}

static void on_closed(struct nfqueue *queue)
{
	struct instance *instance = queue->owner;
	napi_handle_scope scope;
	if (napi_open_handle_scope(instance->env, &scope) == napi_ok) {
		for (uint32_t i = 0; i < KEPT; i++)
			napi_delete_reference(instance->env, instance->kept[i]);
		napi_async_destroy(instance->env, instance->async);
		napi_close_handle_scope(instance->env, scope);
	}
	napi_remove_async_cleanup_hook(instance->cleanup);
	instance->open = false;
	release(instance);
}

/* The environment ends (a worker was terminated) while the queue is open. */
static void on_cleanup(napi_async_cleanup_hook_handle handle, void *data)
{
	struct instance *instance = data;
	(void)handle;
	nfqueue_close(&instance->queue);
}

static void finalize(napi_env env, void *data, void *hint)
{
	struct instance *instance = data;
	instance->wrapped = false;
	release(instance);
}

static void finalize_send(napi_env env, void *data, void *hint)
{
	struct instance *instance = data;
	instance->sends = false;
	release(instance);
}

/* ---- Queue ---- */

static void keep(napi_env env, struct instance *instance, napi_value self, napi_value options)
{
	static const char *const names[] = { NULL, "slab", "rows", "verdicts", "payload", "onBatch", "onError" };
	napi_value name;
	for (uint32_t i = 0; i < KEPT; i++)
		napi_create_reference(env, i == KEPT_SELF ? self : named(env, options, names[i]), 1, &instance->kept[i]);
	napi_create_string_utf8(env, "nfqueue", NAPI_AUTO_LENGTH, &name);
	napi_async_init(env, self, name, &instance->async);
	napi_add_async_cleanup_hook(env, on_cleanup, instance, &instance->cleanup);
}

static napi_value queue_send(napi_env env, napi_callback_info info)
{
	size_t count = 1;
	uint32_t rows = 0;
	napi_value argument;
	void *data = NULL;
	napi_get_cb_info(env, info, &count, &argument, NULL, &data);
	struct instance *instance = data;
	if (count < 1 || napi_get_value_uint32(env, argument, &rows) != napi_ok || rows > instance->verdict_rows) {
		napi_throw_range_error(env, NULL, "Queue.send: more rows than there are");
		return NULL;
	}
	if (!instance->open || instance->queue.fd < 0) {
		instance->send_errno = EBADF;
		return uint32_value(env, 0);
	}
	return uint32_value(env, nfqueue_send(&instance->queue, instance->verdicts, rows, instance->payload,
					      instance->payload_length, &instance->send_errno));
}

/* Each queue has a `send` of its own, which is called for each batch: it knows its queue, where a method looks it up. */
static void define_send(napi_env env, struct instance *instance, napi_value self)
{
	napi_value send;
	if (napi_create_function(env, "send", NAPI_AUTO_LENGTH, queue_send, instance, &send) != napi_ok)
		return;
	instance->sends = napi_add_finalizer(env, send, instance, finalize_send, NULL, NULL) == napi_ok;
	if (instance->sends)
		napi_set_named_property(env, self, "send", send);
}

static napi_value queue_constructor(napi_env env, napi_callback_info info)
{
	size_t count = 1, slab_length, row_words, verdict_words;
	napi_value options, self, target;
	napi_get_new_target(env, info, &target);
	napi_get_cb_info(env, info, &count, &options, &self, NULL);
	struct instance *instance = calloc(1, sizeof *instance);
	if (target == NULL || count < 1 || instance == NULL) {
		free(instance);
		napi_throw_type_error(env, NULL, "Queue: new Queue(options)");
		return NULL;
	}

	struct nfqueue_options native = {
		.queue_num = (uint16_t)named_uint32(env, options, "queueNum"),
		.max_length = named_uint32(env, options, "maxLength"),
		.receive_buffer = named_uint32(env, options, "receiveBuffer"),
		.fail_open = named_bool(env, options, "failOpen"),
		.gso = named_bool(env, options, "gso"),
		.conntrack = named_bool(env, options, "conntrack"),
		.handed = named_descriptor(env, options, "handed"),
		.slab = named_array(env, options, "slab", napi_uint8_array, &slab_length),
		.rows = named_array(env, options, "rows", napi_uint32_array, &row_words),
	};
	instance->verdicts = named_array(env, options, "verdicts", napi_uint32_array, &verdict_words);
	instance->verdict_rows = verdict_words / VERDICT_WORDS;
	instance->payload = named_array(env, options, "payload", napi_uint8_array, &instance->payload_length);
	size_t slots = slab_length / NFQUEUE_SLOT;
	if (row_words / ROW_WORDS < slots)
		slots = row_words / ROW_WORDS;
	native.slots = (uint32_t)slots;
	if (slots == 0 || instance->verdict_rows == 0 || instance->payload_length == 0) {
		free(instance);
		napi_throw_type_error(env, NULL, "Queue: slab, rows, verdicts or payload is missing or too small");
		return NULL;
	}

	instance->env = env;
	instance->queue.owner = instance;
	instance->queue.on_batch = on_batch;
	instance->queue.on_error = on_error;
	instance->queue.on_closed = on_closed;
	uv_loop_t *loop = NULL;
	const char *operation = "open";
	napi_get_uv_event_loop(env, &loop);
	int error = nfqueue_open(&instance->queue, loop, &native, &operation);
	if (error != 0) {
		free(instance);
		return throw_errno(env, operation, error);
	}
	instance->open = true;
	instance->wrapped = napi_wrap(env, self, instance, finalize, NULL, NULL) == napi_ok;
	keep(env, instance, self, options);
	define_send(env, instance, self);
	napi_value granted;
	napi_get_boolean(env, instance->queue.conntrack, &granted);
	napi_set_named_property(env, self, "conntrack", granted);
	napi_set_named_property(env, self, "receiveBuffer", uint32_value(env, instance->queue.receive_buffer));
	return self;
}

static napi_value queue_send_errno(napi_env env, napi_callback_info info)
{
	size_t count = 0;
	struct instance *instance = this_instance(env, info, &count, NULL);
	return instance == NULL ? NULL : uint32_value(env, (uint32_t)instance->send_errno);
}

static napi_value queue_counters(napi_env env, napi_callback_info info)
{
	size_t count = 0;
	napi_value result;
	struct instance *instance = this_instance(env, info, &count, NULL);
	if (instance == NULL)
		return NULL;
	const struct nfqueue_counters *counters = &instance->queue.counters;
	napi_create_object(env, &result);
	napi_set_named_property(env, result, "received", double_value(env, counters->received));
	napi_set_named_property(env, result, "enobufs", double_value(env, counters->enobufs));
	napi_set_named_property(env, result, "verdictErrors", double_value(env, counters->verdict_errors));
	napi_set_named_property(env, result, "malformed", double_value(env, counters->malformed));
	return result;
}

static napi_value queue_pause(napi_env env, napi_callback_info info)
{
	size_t count = 0;
	napi_value descriptor;
	struct instance *instance = this_instance(env, info, &count, NULL);
	if (instance == NULL)
		return NULL;
	nfqueue_pause(&instance->queue);
	napi_create_int32(env, instance->queue.fd, &descriptor);
	return descriptor;
}

static napi_value queue_resume(napi_env env, napi_callback_info info)
{
	size_t count = 0;
	struct instance *instance = this_instance(env, info, &count, NULL);
	if (instance != NULL)
		nfqueue_resume(&instance->queue);
	return NULL;
}

static napi_value queue_close(napi_env env, napi_callback_info info)
{
	size_t count = 0;
	struct instance *instance = this_instance(env, info, &count, NULL);
	if (instance != NULL)
		nfqueue_close(&instance->queue);
	return NULL;
}

/* ---- process ---- */

NAPI_MODULE_INIT()
{
	const napi_property_descriptor methods[] = {
		{ "sendErrno", NULL, queue_send_errno, NULL, NULL, NULL, napi_default_method, NULL },
		{ "counters", NULL, queue_counters, NULL, NULL, NULL, napi_default_method, NULL },
		{ "pause", NULL, queue_pause, NULL, NULL, NULL, napi_default_method, NULL },
		{ "resume", NULL, queue_resume, NULL, NULL, NULL, napi_default_method, NULL },
		{ "close", NULL, queue_close, NULL, NULL, NULL, napi_default_method, NULL },
	};
	napi_value queue;
	if (napi_define_class(env, "Queue", NAPI_AUTO_LENGTH, queue_constructor, NULL,
			      sizeof methods / sizeof *methods, methods, &queue) != napi_ok)
		return NULL;
	const napi_property_descriptor surface[] = {
		{ "Queue", NULL, NULL, NULL, NULL, queue, napi_enumerable, NULL },
		{ "SLOT", NULL, NULL, NULL, NULL, uint32_value(env, NFQUEUE_SLOT), napi_enumerable, NULL },
		{ "INTERFACE", NULL, NULL, NULL, NULL, uint32_value(env, INTERFACE), napi_enumerable, NULL },
	};
	if (napi_define_properties(env, exports, sizeof surface / sizeof *surface, surface) != napi_ok)
		return NULL;
	if (define_process(env, exports) == NULL || define_bridge(env, exports) == NULL)
		return NULL;
	return define_program(env, exports);
}
