/* What the files of the addon's surface share. */
#ifndef TLSPIN_ADDON_H
#define TLSPIN_ADDON_H

#include <node_api.h>
#include <stdint.h>

napi_value uint32_value(napi_env env, uint32_t number);

/* Throws an Error with `errno` and `operation`; NULL, for whoever returns it. */
napi_value throw_errno(napi_env env, const char *operation, int error);

/* Adds what addon-process.c has; NULL where it cannot. */
napi_value define_process(napi_env env, napi_value exports);

/* Likewise what addon-bridge.c has. */
napi_value define_bridge(napi_env env, napi_value exports);

/* And what addon-program.c has. */
napi_value define_program(napi_env env, napi_value exports);

#endif
