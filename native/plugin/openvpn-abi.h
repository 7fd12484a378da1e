// What this plugin needs of OpenVPN's interface for plugins, version 3 with structures of version 5. OpenVPN 2.4 to 2.7
// have it (include/openvpn-plugin.h there). A later version of the structures only adds members at their ends.
#pragma once

// Number of an event, in `type` and as a bit of a mask.
enum { kLearnAddress = 8, kClientDisconnect = 7 };

// Result of openvpn_plugin_open_v3 and openvpn_plugin_func_v3.
enum { kSuccess = 0 };

// First argument of plugin_log.
enum { kLogWarning = 1 << 1, kLogNote = 1 << 2 };

// Version of the interface that openvpn_plugin_min_version_required_v1 asks for.
enum { kInterfaceVersion = 3 };

struct openvpn_plugin_callbacks {
  void (*plugin_log)(int flags, const char* plugin_name, const char* format, ...)
      __attribute__((format(printf, 3, 4)));
  // more functions follow, which this plugin does not call
};

// `argv` and `envp` end with a null pointer. `argv[0]` is the path of the plugin.
struct openvpn_plugin_args_open_in {
  int type_mask;
  const char* const* argv;
  const char* const* envp;
  const struct openvpn_plugin_callbacks* callbacks;
  // more members follow
};

struct openvpn_plugin_args_open_return {
  int type_mask;
  void* handle;
  void* return_list;
};

struct openvpn_plugin_args_func_in {
  int type;
  const char* const* argv;
  const char* const* envp;
  void* handle;
  // more members follow
};

struct openvpn_plugin_args_func_return {
  void* return_list;
};

#define OPENVPN_EXPORT __attribute__((visibility("default")))

OPENVPN_EXPORT int openvpn_plugin_min_version_required_v1(void);
OPENVPN_EXPORT int openvpn_plugin_open_v3(int version, const struct openvpn_plugin_args_open_in* arguments,
                                          struct openvpn_plugin_args_open_return* result);
OPENVPN_EXPORT int openvpn_plugin_func_v3(int version, const struct openvpn_plugin_args_func_in* arguments,
                                          struct openvpn_plugin_args_func_return* result);
OPENVPN_EXPORT void openvpn_plugin_close_v1(void* handle);
