#include "events-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// One entry, as getdents64(2) writes it.
struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

enum { kBufferBytes = 8192 };

static int open_directory(int at, const char* path) {
  return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
}

int open_events_directory(struct events_directory* events, const char* path) {
  events->descriptor = -1;
  events->path[0] = '\0';
  const size_t length = strlen(path);
  if (length >= sizeof events->path) return ENAMETOOLONG;
  memcpy(events->path, path, length + 1);
  events->descriptor = open_directory(AT_FDCWD, path);
  return events->descriptor < 0 ? errno : 0;
}

void close_events_directory(struct events_directory* events) {
  if (events->descriptor >= 0) close(events->descriptor);
  events->descriptor = -1;
}

void for_each_name(int directory, name_visitor visit, void* context) {
  _Alignas(struct entry) char buffer[kBufferBytes];
  int remaining = kMaxEntries;
  if (lseek(directory, 0, SEEK_SET) != 0) return;
  for (;;) {
    const long got = syscall(SYS_getdents64, directory, buffer, sizeof buffer);
    if (got <= 0) return;
    for (long at = 0; at < got;) {
      const struct entry* entry = (const struct entry*)(buffer + at);
      at += entry->length;
      if (remaining-- == 0) return;
      if (entry->name[0] != '.') visit(directory, entry->name, context);
    }
  }
}

// The first name of a directory that belongs to `user`; empty if there is none.
struct own_directory {
  uid_t user;
  char name[NAME_MAX + 1];
};

static void consider_directory(int directory, const char* name, void* context) {
  struct own_directory* own = context;
  struct stat status;
  if (own->name[0] != '\0' && strcmp(own->name, name) <= 0) return;
  if (fstatat(directory, name, &status, 0) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != own->user) return;
  strncpy(own->name, name, NAME_MAX);
  own->name[NAME_MAX] = '\0';
}

// Whether the open directory still has a name. If somebody removed it and made another one, that one is the events directory.
static int is_removed(int directory) {
  struct stat status;
  return fstat(directory, &status) != 0 || status.st_nlink == 0;
}

int open_user_directory(struct events_directory* events) {
  if (events->descriptor < 0 || is_removed(events->descriptor)) {
    if (events->path[0] == '\0') return -1;
    close_events_directory(events);
    events->descriptor = open_directory(AT_FDCWD, events->path);
    if (events->descriptor < 0) return -1;
  }
  struct own_directory own = {.user = geteuid(), .name = ""};
  for_each_name(events->descriptor, consider_directory, &own);
  return own.name[0] == '\0' ? -1 : open_directory(events->descriptor, own.name);
}
