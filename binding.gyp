{
  "targets": [
    {
      "target_name": "node_nfqueue",
      "sources": ["native/addon.c", "native/addon-process.c", "native/confine.c", "native/nfqueue.c", "native/nfqnl.c", "native/process.c"],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "cflags": ["-std=c11", "-Wall", "-Wextra", "-Werror=implicit-function-declaration", "-Wno-unused-parameter", "-fvisibility=hidden"],
    }
  ]
}
