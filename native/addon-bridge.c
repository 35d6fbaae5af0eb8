/*
 * The addon's surface for probes over a bridge: the device that their answers come in by, and the socket that their frames
 * leave by. Arguments in, results out.
 *
 *   openTunnel(name)            { fd, ifindex }; the descriptor is to be closed by whoever asked
 *   openFrames()                a descriptor, likewise; or a negated errno
 *   sendFrame(fd, ifindex, frame), writePacket(fd, packet)   0 or an errno
 *   discardPackets(fd)
 *
 * What is not said to answer with an errno throws an Error with `errno` and `operation`.
 */
#include "addon.h"
#include "process.h"

#include <stdbool.h>

static napi_value open_tunnel(napi_env env, napi_callback_info info)
{
	size_t count = 1, length;
	napi_value argument, result, value;
	char name[32];
	uint32_t ifindex;
	napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
	if (count < 1 || napi_get_value_string_utf8(env, argument, name, sizeof name, &length) != napi_ok) {
		napi_throw_type_error(env, NULL, "openTunnel(name)");
		return NULL;
	}
	int fd = process_open_tunnel(name, &ifindex);
	if (fd < 0)
		return throw_errno(env, "open a tunnel", -fd);
	napi_create_object(env, &result);
	napi_create_int32(env, fd, &value);
	napi_set_named_property(env, result, "fd", value);
	napi_set_named_property(env, result, "ifindex", uint32_value(env, ifindex));
	return result;
}

static napi_value open_frames(napi_env env, napi_callback_info info)
{
	napi_value result;
	(void)info;
	napi_create_int32(env, process_open_frames(), &result);
	return result;
}

/* Of a Uint8Array. */
static bool read_octets(napi_env env, napi_value array, const void **octets, size_t *length)
{
	napi_typedarray_type type;
	napi_value buffer;
	size_t offset;
	return napi_get_typedarray_info(env, array, &type, length, (void **)octets, &buffer, &offset) == napi_ok &&
	       type == napi_uint8_array;
}

static napi_value send_frame(napi_env env, napi_callback_info info)
{
	size_t count = 3, length;
	int32_t fd = -1;
	uint32_t ifindex;
	const void *octets;
	napi_value arguments[3];
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 3 || napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
	    napi_get_value_uint32(env, arguments[1], &ifindex) != napi_ok ||
	    !read_octets(env, arguments[2], &octets, &length)) {
		napi_throw_type_error(env, NULL, "sendFrame(fd, ifindex, frame)");
		return NULL;
	}
	return uint32_value(env, (uint32_t)process_send_frame(fd, ifindex, octets, length));
}

static napi_value write_packet(napi_env env, napi_callback_info info)
{
	size_t count = 2, length;
	int32_t fd = -1;
	const void *octets;
	napi_value arguments[2];
	napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
	if (count < 2 || napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
	    !read_octets(env, arguments[1], &octets, &length)) {
		napi_throw_type_error(env, NULL, "writePacket(fd, packet)");
		return NULL;
	}
	return uint32_value(env, (uint32_t)process_write_packet(fd, octets, length));
}

static napi_value discard_packets(napi_env env, napi_callback_info info)
{
	size_t count = 1;
	int32_t fd = -1;
	napi_value argument;
	napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
	if (count < 1 || napi_get_value_int32(env, argument, &fd) != napi_ok)
		napi_throw_type_error(env, NULL, "discardPackets(fd)");
	else
		process_discard_packets(fd);
	return NULL;
}

napi_value define_bridge(napi_env env, napi_value exports)
{
	const napi_property_descriptor surface[] = {
		{ "openTunnel", NULL, open_tunnel, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "openFrames", NULL, open_frames, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "sendFrame", NULL, send_frame, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "writePacket", NULL, write_packet, NULL, NULL, NULL, napi_enumerable, NULL },
		{ "discardPackets", NULL, discard_packets, NULL, NULL, NULL, napi_enumerable, NULL },
	};
	return napi_define_properties(env, exports, sizeof surface / sizeof *surface, surface) == napi_ok ? exports :
													     NULL;
}
