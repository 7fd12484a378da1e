// The plugin that records sessions for subflowd, within the process of OpenVPN: `plugin PATH/subflowd-plugin.so [EVENTS]`.
// It leaves the same records as hooks/client-connect and hooks/client-disconnect, and starts no process. So it works in a
// chroot, with `script-security 1` and under a limit on processes, where a script does not.
//
// A session is recorded when OpenVPN learns its address inside the tunnel. That is after every script, plugin and
// management client has let the client in, so a client that one of them refuses leaves no record. An event of
// client-connect would come before them. It would also make OpenVPN run the admin's client-disconnect for clients that the
// admin's client-connect refused (multi_connection_established in OpenVPN's multi.c).
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "events-directory.h"
#include "openvpn-abi.h"
#include "record-file.h"
#include "session.h"

static const char kName[] = "subflowd";
static const char kDefaultEvents[] = "/run/subflowd/events";
static const char kEventsVariable[] = "SUBFLOWD_EVENTS=";

// One line `plugin` of OpenVPN's config.
struct instance {
  bool is_used;
  struct events_directory events;
};

// OpenVPN takes at most 16 plugins (MAX_PLUGINS), and at a restart it closes them before it opens them again.
static struct instance instances[16];

static struct instance* take_instance(void) {
  for (size_t index = 0; index < sizeof instances / sizeof *instances; index++) {
    if (instances[index].is_used) continue;
    instances[index].is_used = true;
    return &instances[index];
  }
  return NULL;
}

// The argument of the plugin, else `setenv SUBFLOWD_EVENTS` of the config, else the default.
static const char* choose_events(const struct openvpn_plugin_args_open_in* in) {
  if (in->argv != NULL && in->argv[0] != NULL && in->argv[1] != NULL && in->argv[1][0] != '\0') return in->argv[1];
  const size_t length = sizeof kEventsVariable - 1;
  for (const char* const* variable = in->envp; variable != NULL && *variable != NULL; variable++)
    if (strncmp(*variable, kEventsVariable, length) == 0 && (*variable)[length] != '\0') return *variable + length;
  return kDefaultEvents;
}

static void log_events(const struct openvpn_plugin_args_open_in* in, const char* path, int error) {
  if (in->callbacks == NULL || in->callbacks->plugin_log == NULL) return;
  if (error == 0)
    in->callbacks->plugin_log(kLogNote, kName, "sessions are recorded in %s", path);
  else
    in->callbacks->plugin_log(kLogWarning, kName,
                              "no session is recorded until %s can be opened: %s; to fix it: systemd-tmpfiles --create, "
                              "or start subflowd, then restart this OpenVPN if it has a chroot",
                              path, strerror(error));
}

int openvpn_plugin_min_version_required_v1(void) { return kInterfaceVersion; }

// Always succeeds, because OpenVPN would end. It is called before OpenVPN drops privileges and changes its root.
int openvpn_plugin_open_v3(int version, const struct openvpn_plugin_args_open_in* in,
                           struct openvpn_plugin_args_open_return* out) {
  (void)version;
  static char without_instance;
  struct instance* instance = take_instance();
  out->type_mask = 1 << kLearnAddress | 1 << kClientDisconnect;
  out->handle = instance != NULL ? (void*)instance : &without_instance;
  if (instance == NULL) return kSuccess;
  const char* path = choose_events(in);
  log_events(in, path, open_events_directory(&instance->events, path));
  return kSuccess;
}

static void handle_event(struct instance* instance, int type, const struct session* session) {
  struct record_names names;
  char record[kMaxRecordBytes];
  if (!name_record(session, &names)) return;
  const size_t length = type == kLearnAddress ? format_record(session, record, sizeof record) : 0;
  if (type == kLearnAddress && length == 0) return;
  const int directory = open_user_directory(&instance->events);
  if (directory < 0) return;
  if (type == kLearnAddress)
    write_record(directory, &names, record, length);
  else
    remove_record(directory, &names);
  close(directory);
}

// Whether the event is one of a client that is there: an address that it has lost is none. argv is PLUGIN, `add`, `update`
// or `delete`, and the address.
static bool is_event(const struct openvpn_plugin_args_func_in* in) {
  if (in->type == kClientDisconnect) return true;
  if (in->type != kLearnAddress || in->argv == NULL || in->argv[0] == NULL || in->argv[1] == NULL) return false;
  return strcmp(in->argv[1], "delete") != 0;
}

static bool is_instance(const void* handle) {
  for (size_t index = 0; index < sizeof instances / sizeof *instances; index++)
    if (handle == &instances[index]) return instances[index].is_used;
  return false;
}

// Always succeeds: a session that cannot be recorded must not keep a client out.
int openvpn_plugin_func_v3(int version, const struct openvpn_plugin_args_func_in* in,
                           struct openvpn_plugin_args_func_return* out) {
  (void)version;
  (void)out;
  struct session session;
  const int error = errno;
  if (is_instance(in->handle) && is_event(in) && read_session(in->envp, &session))
    handle_event(in->handle, in->type, &session);
  errno = error;
  return kSuccess;
}

void openvpn_plugin_close_v1(void* handle) {
  if (!is_instance(handle)) return;
  struct instance* instance = handle;
  close_events_directory(&instance->events);
  instance->is_used = false;
}
