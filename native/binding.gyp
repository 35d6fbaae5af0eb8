{
  "targets": [
    {
      "target_name": "node_nfqueue",
      "sources": [
        "addon.c", "addon-bridge.c", "addon-process.c", "addon-program.c",
        "confine.c", "nfqueue.c", "nfqnl.c", "process.c", "program.c",
      ],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "cflags": ["-std=c11", "-Wall", "-Wextra", "-Werror=implicit-function-declaration", "-Wno-unused-parameter", "-fvisibility=hidden"],
      # Its threads may outlast the worker that has loaded it.
      "ldflags": ["-Wl,-z,nodelete"],
    }
  ]
}
