/*
 * The addon's surface beside the queue: what the process asks of Linux. Arguments in, results out.
 *
 *   setMark(fd, mark)           0 or an errno
 *   streamFrom(address, port, options)         a descriptor, to be closed by whoever asked; or a negated errno
 *   forgetStream(address, port, toAddress, toPort, options)   0 or an errno
 *   sayBehindAck(fd, octets)    how many octets were taken; or a negated errno
 *   hasCapability(number)       boolean
 *   notify(path, message, descriptors)         0 or an errno
 *   peerCredentials(fd)         { pid, uid, gid }
 *   connectUnix(path, datagrams?)              a descriptor, to be closed by whoever asked
 *   subscribe(protocol, groups, askedFor)      a descriptor, to be closed by whoever asked; see process.h
 *   bpfPrograms(ifindex, attachType)           how many are attached; or a negated errno
 *   sendDescriptors(fd, octets, descriptors)   how many octets were taken; or a negated errno
 *   receiveDescriptors(fd, into)               { octets, descriptors }; octets: how many, 0 at the end, or a negated errno
 *   confine(user, capability)   user: a string, or undefined to stay; see confine.h
 *
 * What is not said to answer with an errno throws an Error with `errno` and `operation`.
 */
#include "addon.h"
#include "confine.h"
#include "process.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

napi_value uint32_value(napi_env env, uint32_t number)
{
	napi_value value;
	napi_create_uint32(env, number, &value);
	return value;
}

napi_value throw_errno(napi_env env, const char *operation, int error)
{
	napi_value message, exception, text;
	napi_create_string_utf8(env, operation, NAPI_AUTO_LENGTH, &text);
	napi_create_string_utf8(env, strerror(error), NAPI_AUTO_LENGTH, &message);
	napi_create_error(env, NULL, message, &exception);
	napi_set_named_property(env, exception, "operation", text);
	napi_set_named_property(env, exception, "errno", uint32_value(env, (uint32_t)error));
	napi_throw(env, exception);
	return NULL;
}

static napi_value set_mark(napi_env env, napi_callback_info info)
{
	size_t count = 2;
	napi_value arguments[2];
	int32_t fd = -1;
	uint32_t mark = 0;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 2 || napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
	    napi_get_value_uint32(env, arguments[1], &mark) != napi_ok) {
		napi_throw_type_error(env, NULL, "setMark(fd, mark)");
		return NULL;
	}
	return uint32_value(env, (uint32_t)process_set_mark(fd, mark));
}

static bool read_end(napi_env env, napi_value address, napi_value port, struct process_end *end)
{
	void *octets;
	uint32_t number;
	if (napi_get_buffer_info(env, address, &octets, &end->length) != napi_ok ||
	    napi_get_value_uint32(env, port, &number) != napi_ok || number > UINT16_MAX)
		return false;
	end->address = octets;
	end->port = (uint16_t)number;
	return true;
}

/* Three words each, as in process_option. */
static bool read_options(napi_env env, napi_value words, const struct process_option **options, size_t *count)
{
	enum { WORDS = sizeof(struct process_option) / sizeof(int32_t) };
	napi_typedarray_type type;
	napi_value buffer;
	void *data;
	size_t length, offset;
	if (napi_get_typedarray_info(env, words, &type, &length, &data, &buffer, &offset) != napi_ok ||
	    type != napi_int32_array || length % WORDS != 0)
		return false;
	*options = data;
	*count = length / WORDS;
	return true;
}

static napi_value stream_from(napi_env env, napi_callback_info info)
{
	size_t count = 3, held;
	struct process_end from;
	const struct process_option *options;
	napi_value arguments[3], result;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 3 || !read_end(env, arguments[0], arguments[1], &from) ||
	    !read_options(env, arguments[2], &options, &held)) {
		napi_throw_type_error(env, NULL, "streamFrom(address, port, options)");
		return NULL;
	}
	napi_create_int32(env, process_stream_from(&from, options, held), &result);
	return result;
}

static napi_value forget_stream(napi_env env, napi_callback_info info)
{
	size_t count = 5, held;
	struct process_end from, to;
	const struct process_option *options;
	napi_value arguments[5];
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 5 || !read_end(env, arguments[0], arguments[1], &from) ||
	    !read_end(env, arguments[2], arguments[3], &to) || !read_options(env, arguments[4], &options, &held)) {
		napi_throw_type_error(env, NULL, "forgetStream(address, port, toAddress, toPort, options)");
		return NULL;
	}
	return uint32_value(env, (uint32_t)process_forget_stream(&from, &to, options, held));
}

static napi_value say_behind_ack(napi_env env, napi_callback_info info)
{
	size_t count = 2, length;
	int32_t fd = -1;
	void *octets;
	napi_value arguments[2], result;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 2 || napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
	    napi_get_buffer_info(env, arguments[1], &octets, &length) != napi_ok) {
		napi_throw_type_error(env, NULL, "sayBehindAck(fd, octets)");
		return NULL;
	}
	napi_create_int32(env, process_say_behind_ack(fd, octets, length), &result);
	return result;
}

static napi_value has_capability(napi_env env, napi_callback_info info)
{
	size_t count = 1;
	napi_value argument, result;
	uint32_t capability = UINT32_MAX;
	napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
	if (count < 1 || napi_get_value_uint32(env, argument, &capability) != napi_ok) {
		napi_throw_type_error(env, NULL, "hasCapability(number)");
		return NULL;
	}
	napi_get_boolean(env, process_has_capability(capability), &result);
	return result;
}

/* False where it is no list, or one that is too long. */
static bool read_descriptors(napi_env env, napi_value list, int32_t *descriptors, uint32_t *held)
{
	napi_value element;
	if (napi_get_array_length(env, list, held) != napi_ok || *held > PROCESS_DESCRIPTORS)
		return false;
	for (uint32_t i = 0; i < *held; i++) {
		descriptors[i] = -1;
		if (napi_get_element(env, list, i, &element) == napi_ok)
			napi_get_value_int32(env, element, &descriptors[i]);
	}
	return true;
}

static napi_value notify(napi_env env, napi_callback_info info)
{
	size_t count = 3, path_length, message_length;
	uint32_t held = 0;
	int32_t descriptors[PROCESS_DESCRIPTORS];
	napi_value arguments[3];
	char path[128], message[512];
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 3 || !read_descriptors(env, arguments[2], descriptors, &held) ||
	    napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &path_length) != napi_ok ||
	    napi_get_value_string_utf8(env, arguments[1], message, sizeof message, &message_length) != napi_ok) {
		napi_throw_type_error(env, NULL, "notify(path, message, descriptors)");
		return NULL;
	}
	return uint32_value(env, (uint32_t)process_notify(path, message, message_length, descriptors, held));
}

static napi_value peer_credentials(napi_env env, napi_callback_info info)
{
	size_t count = 1;
	napi_value argument, result;
	int32_t fd = -1;
	struct process_peer peer;
	napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
	if (count < 1 || napi_get_value_int32(env, argument, &fd) != napi_ok) {
		napi_throw_type_error(env, NULL, "peerCredentials(fd)");
		return NULL;
	}
	int error = process_peer_credentials(fd, &peer);
	if (error != 0)
		return throw_errno(env, "ask for the peer", error);
	napi_create_object(env, &result);
	napi_set_named_property(env, result, "pid", uint32_value(env, peer.pid));
	napi_set_named_property(env, result, "uid", uint32_value(env, peer.uid));
	napi_set_named_property(env, result, "gid", uint32_value(env, peer.gid));
	return result;
}

static napi_value connect_unix(napi_env env, napi_callback_info info)
{
	size_t count = 2, length;
	napi_value arguments[2], result;
	char path[256];
	bool datagrams = false;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 1 || napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &length) != napi_ok ||
	    (count > 1 && napi_get_value_bool(env, arguments[1], &datagrams) != napi_ok)) {
		napi_throw_type_error(env, NULL, "connectUnix(path, datagrams)");
		return NULL;
	}
	int fd = process_connect(path, datagrams);
	if (fd < 0)
		return throw_errno(env, "connect", -fd);
	napi_create_int32(env, fd, &result);
	return result;
}

static napi_value subscribe(napi_env env, napi_callback_info info)
{
	size_t count = 3;
	int32_t protocol;
	uint32_t groups;
	bool asked_for;
	napi_value arguments[3], result;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 3 || napi_get_value_int32(env, arguments[0], &protocol) != napi_ok ||
	    napi_get_value_uint32(env, arguments[1], &groups) != napi_ok ||
	    napi_get_value_bool(env, arguments[2], &asked_for) != napi_ok) {
		napi_throw_type_error(env, NULL, "subscribe(protocol, groups, askedFor)");
		return NULL;
	}
	int fd = process_subscribe(protocol, groups, asked_for);
	if (fd < 0)
		return throw_errno(env, "subscribe", -fd);
	napi_create_int32(env, fd, &result);
	return result;
}

static napi_value bpf_programs(napi_env env, napi_callback_info info)
{
	size_t count = 2;
	uint32_t ifindex, attach_type;
	napi_value arguments[2], result;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 2 || napi_get_value_uint32(env, arguments[0], &ifindex) != napi_ok ||
	    napi_get_value_uint32(env, arguments[1], &attach_type) != napi_ok) {
		napi_throw_type_error(env, NULL, "bpfPrograms(ifindex, attachType)");
		return NULL;
	}
	napi_create_int64(env, process_bpf_programs(ifindex, attach_type), &result);
	return result;
}

static napi_value send_descriptors(napi_env env, napi_callback_info info)
{
	size_t count = 3, length;
	uint32_t held = 0;
	int32_t fd = -1, descriptors[PROCESS_DESCRIPTORS];
	void *octets;
	napi_value arguments[3], result;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 3 || napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
	    napi_get_buffer_info(env, arguments[1], &octets, &length) != napi_ok || length == 0 ||
	    !read_descriptors(env, arguments[2], descriptors, &held)) {
		napi_throw_type_error(env, NULL, "sendDescriptors(fd, octets, descriptors)");
		return NULL;
	}
	napi_create_int64(env, process_send(fd, octets, length, descriptors, held), &result);
	return result;
}

static napi_value receive_descriptors(napi_env env, napi_callback_info info)
{
	size_t count = 2, room, held = 0;
	int32_t fd = -1;
	int descriptors[PROCESS_DESCRIPTORS];
	void *octets;
	napi_value arguments[2], result, list, value;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 2 || napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
	    napi_get_buffer_info(env, arguments[1], &octets, &room) != napi_ok || room == 0) {
		napi_throw_type_error(env, NULL, "receiveDescriptors(fd, into)");
		return NULL;
	}
	long got = process_receive(fd, octets, room, descriptors, &held);
	napi_create_object(env, &result);
	napi_create_array_with_length(env, held, &list);
	for (size_t i = 0; i < held; i++) {
		napi_create_int32(env, descriptors[i], &value);
		napi_set_element(env, list, (uint32_t)i, value);
	}
	napi_create_int64(env, got, &value);
	napi_set_named_property(env, result, "octets", value);
	napi_set_named_property(env, result, "descriptors", list);
	return result;
}

static napi_value confine_process(napi_env env, napi_callback_info info)
{
	size_t count = 2, length;
	napi_value arguments[2];
	napi_valuetype type = napi_undefined;
	char user[256];
	uint32_t capability = UINT32_MAX;
	const char *operation;
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 2 || napi_get_value_uint32(env, arguments[1], &capability) != napi_ok || capability > 63 ||
	    napi_typeof(env, arguments[0], &type) != napi_ok ||
	    (type != napi_undefined &&
	     napi_get_value_string_utf8(env, arguments[0], user, sizeof user, &length) != napi_ok)) {
		napi_throw_type_error(env, NULL, "confine(user, capability)");
		return NULL;
	}
	int error = confine(type == napi_undefined ? NULL : user, capability, &operation);
	return error == 0 ? NULL : throw_errno(env, operation, error);
}

napi_value define_process(napi_env env, napi_value exports)
{
	const napi_property_descriptor surface[] = {
		{ "setMark", NULL, set_mark, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "streamFrom", NULL, stream_from, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "forgetStream", NULL, forget_stream, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "sayBehindAck", NULL, say_behind_ack, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "hasCapability", NULL, has_capability, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "notify", NULL, notify, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "peerCredentials", NULL, peer_credentials, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "connectUnix", NULL, connect_unix, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "subscribe", NULL, subscribe, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "bpfPrograms", NULL, bpf_programs, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "sendDescriptors", NULL, send_descriptors, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "receiveDescriptors", NULL, receive_descriptors, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "confine", NULL, confine_process, NULL, NULL, NULL, napi_enumerable, NULL },
	};
	return napi_define_properties(env, exports, sizeof surface / sizeof *surface, surface) == napi_ok ? exports :
													     NULL;
}
