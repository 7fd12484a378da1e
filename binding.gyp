{
  "variables": { "sanitize%": 0 },
  "targets": [
    {
      "target_name": "subflowd",
      "sources": [
        "native/addon.cc",
        "native/commit-batch.cc",
        "native/guarded-commit.cc",
        "native/ignore-signal.cc",
        "native/netlink-binding.cc",
        "native/netlink-socket.cc",
        "native/peer-credentials.cc",
        "native/physical-memory.cc",
        "native/rows.cc",
        "native/send-datagram.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++14", "-std=gnu++20"],
      "cflags_cc": ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"],
      "conditions": [
        [
          "sanitize==1",
          {
            "cflags_cc": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"],
            "ldflags": ["-fsanitize=address,undefined"]
          }
        ]
      ]
    },
    {
      "target_name": "subflowd-plugin",
      "type": "shared_library",
      "product_prefix": "",
      "product_dir": "<(PRODUCT_DIR)",
      "sources": [
        "native/plugin/events-directory.c",
        "native/plugin/plugin.c",
        "native/plugin/record-file.c",
        "native/plugin/session.c"
      ],
      "defines": ["_GNU_SOURCE"],
      "cflags!": ["-std=gnu11"],
      "cflags_c": ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-fstack-protector-strong"],
      "ldflags": ["-Wl,-z,relro,-z,now,-z,defs"]
    }
  ]
}
