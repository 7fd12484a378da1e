// A session, as OpenVPN's variables describe it, and its record. The record and its name are those that
// hooks/client-connect writes for the same variables.
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

// Longest record that the daemon reads, bytes: MAX_RECORD_BYTES of src/openvpn/records/record.ts.
enum { kMaxRecordBytes = 8192 };

// Number of the variables proto_1, proto_2, and so on, that are recorded.
enum { kProtocols = 8 };

// Each text is one of the given variables, or empty. So it is valid as long as these are.
struct session {
  const char* process;
  const char* address;
  const char* port;
  const char* virtual_address;
  const char* time;
  const char* pool_address;
  const char* pool_address6;
  const char* device;
  const char* config;
  const char* common_name;
  const char* protocols[kProtocols];
};

// The names of one session's record. `temporary` is the name until the record is complete: a dot and the name.
struct record_names {
  char temporary[NAME_MAX + 1];
  // within `temporary`
  const char* current;
  // as hooks before 0.1 named it, without time and virtual address
  char earlier[NAME_MAX + 1];
  // how the names of the same client's records begin if only its virtual address is another one
  char without_virtual[NAME_MAX + 1];
  // how they begin and end if only its address and port are others; empty if that cannot happen (see client-disconnect)
  char process_prefix[NAME_MAX + 1];
  char virtual_suffix[NAME_MAX + 1];
};

// Reads `NAME=VALUE` variables; the list ends with a null pointer. Returns false if they do not describe a session.
bool read_session(const char* const variables[], struct session* session);

// Returns false if a name would be longer than a file's name can be.
bool name_record(const struct session* session, struct record_names* names);

// Writes the record to `bytes`. Returns its length, or 0 if it is longer than `size`.
size_t format_record(const struct session* session, char* bytes, size_t size);
