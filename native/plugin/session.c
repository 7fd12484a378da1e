#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// The variables that a record is made of. An enumerator is the index in kNames.
enum variable {
  kDaemonPid,
  kTrustedIp,
  kTrustedIp6,
  kTrustedPort,
  kPoolIp,
  kPoolIp6,
  kTimeUnix,
  kDev,
  kConfig,
  kCommonName,
  kProto1,
  kVariables = kProto1 + kProtocols,
};

static const char* const kNames[kVariables] = {
    "daemon_pid", "trusted_ip", "trusted_ip6", "trusted_port", "ifconfig_pool_remote_ip", "ifconfig_pool_remote_ip6",
    "time_unix",  "dev",        "config",      "common_name",  "proto_1",                 "proto_2",
    "proto_3",    "proto_4",    "proto_5",     "proto_6",      "proto_7",                 "proto_8",
};

static const char* or_else(const char* text, const char* otherwise) { return *text != '\0' ? text : otherwise; }

static bool is_digits(const char* text) { return text[strspn(text, "0123456789")] == '\0'; }

static bool is_number(const char* text) { return *text != '\0' && is_digits(text); }

static bool has_slash(const char* text) { return strchr(text, '/') != NULL; }

// Finds each variable of kNames; an absent one becomes "". Of a variable that is there twice, the last one counts, as in sh.
static void find_variables(const char* const variables[], const char* values[kVariables]) {
  for (int name = 0; name < kVariables; name++) values[name] = "";
  for (; *variables != NULL; variables++) {
    const char* equals = strchr(*variables, '=');
    if (equals == NULL) continue;
    const size_t length = (size_t)(equals - *variables);
    for (int name = 0; name < kVariables; name++) {
      if (strlen(kNames[name]) != length || memcmp(kNames[name], *variables, length) != 0) continue;
      values[name] = equals + 1;
      break;
    }
  }
}

bool read_session(const char* const variables[], struct session* session) {
  const char* values[kVariables];
  if (variables == NULL) return false;
  find_variables(variables, values);
  const char* virtual_address = or_else(values[kPoolIp], values[kPoolIp6]);
  *session = (struct session){
      .process = values[kDaemonPid],
      .address = or_else(values[kTrustedIp], values[kTrustedIp6]),
      .port = values[kTrustedPort],
      .virtual_address = has_slash(virtual_address) ? "" : virtual_address,
      .time = is_digits(values[kTimeUnix]) ? values[kTimeUnix] : "",
      .pool_address = values[kPoolIp],
      .pool_address6 = values[kPoolIp6],
      .device = values[kDev],
      .config = values[kConfig],
      .common_name = values[kCommonName],
  };
  memcpy(session->protocols, values + kProto1, sizeof session->protocols);
  return is_number(session->process) && is_number(session->port) && *session->address != '\0' &&
         !has_slash(session->address);
}

// Returns false if the text does not fit.
__attribute__((format(printf, 3, 4))) static bool format(char* text, size_t size, const char* pattern, ...) {
  va_list values;
  va_start(values, pattern);
  const int length = vsnprintf(text, size, pattern, values);
  va_end(values);
  return length >= 0 && (size_t)length < size;
}

static bool serves_udp(const struct session* session) {
  for (int index = 0; index < kProtocols; index++)
    if (strstr(session->protocols[index], "udp") != NULL) return true;
  return false;
}

bool name_record(const struct session* s, struct record_names* names) {
  names->current = names->temporary + 1;
  names->process_prefix[0] = names->virtual_suffix[0] = '\0';
  if (serves_udp(s) && *s->time != '\0' && *s->virtual_address != '\0') {
    if (!format(names->process_prefix, sizeof names->process_prefix, "%s-", s->process)) return false;
    if (!format(names->virtual_suffix, sizeof names->virtual_suffix, "-%s-%s", s->time, s->virtual_address)) return false;
  }
  return format(names->temporary, sizeof names->temporary, ".%s-%s-%s-%s-%s", s->process, s->address, s->port, s->time,
                s->virtual_address) &&
         format(names->earlier, sizeof names->earlier, "%s-%s-%s", s->process, s->address, s->port) &&
         format(names->without_virtual, sizeof names->without_virtual, "%s-%s-%s-%s-", s->process, s->address, s->port,
                s->time);
}

// A text that is made of several parts, and whether all of them fitted.
struct text {
  char* bytes;
  size_t size;
  size_t length;
  bool is_complete;
};

static void append(struct text* text, const char* part, size_t length) {
  if (!text->is_complete || length > text->size - text->length) {
    text->is_complete = false;
    return;
  }
  memcpy(text->bytes + text->length, part, length);
  text->length += length;
}

// NUL ends every field, because no value can contain it.
static void append_field(struct text* text, const char* name, const char* value) {
  append(text, name, strlen(name));
  append(text, value, strlen(value) + 1);
}

size_t format_record(const struct session* session, char* bytes, size_t size) {
  struct text text = {.bytes = bytes, .size = size, .length = 0, .is_complete = true};
  append_field(&text, "subflowd-event=", "1");
  append_field(&text, "script_type=", "client-connect");
  append_field(&text, "daemon_pid=", session->process);
  append_field(&text, "trusted_ip=", session->address);
  append_field(&text, "trusted_port=", session->port);
  append_field(&text, "ifconfig_pool_remote_ip=", session->pool_address);
  append_field(&text, "ifconfig_pool_remote_ip6=", session->pool_address6);
  append_field(&text, "time_unix=", session->time);
  append(&text, "protocols=", strlen("protocols="));
  for (int index = 0; index < kProtocols; index++) {
    const char* protocol = session->protocols[index];
    append(&text, protocol, strlen(protocol));
    append(&text, index + 1 < kProtocols ? " " : "", 1);
  }
  append_field(&text, "dev=", session->device);
  append_field(&text, "config=", session->config);
  append_field(&text, "common_name=", session->common_name);
  append_field(&text, "end", "");
  return text.is_complete ? text.length : 0;
}
