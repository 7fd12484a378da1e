// The events directory, and in it the directory of OpenVPN's user.
#pragma once

#include <limits.h>

// Most entries that are read of one directory. A directory can hold more than the daemon reads (MAX_ENTRIES).
enum { kMaxEntries = 32768 };

// An open events directory. It stays open, so a chroot or a change of user does not take it away.
struct events_directory {
  char path[PATH_MAX];
  // a descriptor; -1 if the directory could not be opened
  int descriptor;
};

// Opens the directory. Returns 0 or an errno, after which open_user_directory tries again.
int open_events_directory(struct events_directory* events, const char* path);

void close_events_directory(struct events_directory* events);

// Opens the directory in it that belongs to the effective user of this process: the first by name, as hooks/client-connect
// does. Returns a descriptor, which the caller closes, or -1.
int open_user_directory(struct events_directory* events);

// What for_each_name calls for each entry whose name does not begin with a dot.
typedef void (*name_visitor)(int directory, const char* name, void* context);

// Reads the directory from its start, without allocating memory (opendir would).
void for_each_name(int directory, name_visitor visit, void* context);
