/*
 * The addon's surface beside the queue: what the process asks of Linux. Arguments in, results out.
 *
 *   setMark(fd, mark)           0 or an errno
 *   hasCapability(number)       boolean
 *   notify(path, message)       0 or an errno
 *   peerCredentials(fd)         { pid, uid, gid }
 *   confine(user, capability)   user: a string, or undefined to stay; see confine.h
 *
 * What is not said to answer with an errno throws an Error with `errno` and `operation`.
 */
#include "addon.h"
#include "confine.h"
#include "process.h"

#include <errno.h>
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

static napi_value notify(napi_env env, napi_callback_info info)
{
	size_t count = 2, path_length, message_length;
	napi_value arguments[2];
	char path[128], message[512];
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 2 ||
	    napi_get_value_string_utf8(env, arguments[0], path, sizeof path, &path_length) != napi_ok ||
	    napi_get_value_string_utf8(env, arguments[1], message, sizeof message, &message_length) != napi_ok) {
		napi_throw_type_error(env, NULL, "notify(path, message)");
		return NULL;
	}
	return uint32_value(env, (uint32_t)process_notify(path, message, message_length));
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
		{ "hasCapability", NULL, has_capability, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "notify", NULL, notify, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "peerCredentials", NULL, peer_credentials, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "confine", NULL, confine_process, NULL, NULL, NULL, napi_enumerable, NULL },
	};
	return napi_define_properties(env, exports, sizeof surface / sizeof *surface, surface) == napi_ok ? exports :
													     NULL;
}
