#include "record-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events-directory.h"

// At a limit on file size the kernel ends the process by SIGXFSZ, and that process is OpenVPN.
static bool may_write(size_t length) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= length);
}

// What stands under a name.
enum kind { kNothing, kRegularFile, kSomethingElse };

static enum kind kind_of(int directory, const char* name) {
  struct stat status;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? kNothing : kSomethingElse;
  return S_ISREG(status.st_mode) ? kRegularFile : kSomethingElse;
}

static bool has_content(int directory, const char* name, const char* bytes, size_t length) {
  char found[kMaxRecordBytes + 1];
  // O_NONBLOCK: somebody may have replaced it by a FIFO meanwhile
  const int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t got = read(file, found, sizeof found);
  close(file);
  return got == (ssize_t)length && memcmp(found, bytes, length) == 0;
}

// The group of the directory, in which only subflowd is, may read the record.
enum { kRecordMode = 0640 };

static int create(int directory, const char* name) {
  enum { kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC };
  const int file = openat(directory, name, kFlags, kRecordMode);
  if (file >= 0 || errno != EEXIST) return file;
  // An OpenVPN that was killed can have left it.
  if (unlinkat(directory, name, 0) != 0) return -1;
  return openat(directory, name, kFlags, kRecordMode);
}

static bool write_all(int file, const char* bytes, size_t length) {
  while (length > 0) {
    const ssize_t written = write(file, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    length -= (size_t)written;
  }
  return true;
}

void write_record(int directory, const struct record_names* names, const char* bytes, size_t length) {
  const enum kind kind = kind_of(directory, names->current);
  if (kind == kSomethingElse || !may_write(length)) return;
  if (kind == kRegularFile && has_content(directory, names->current, bytes, length)) return;
  const int file = create(directory, names->temporary);
  if (file < 0) return;
  // the umask of OpenVPN can be stricter
  const bool is_written = fchmod(file, kRecordMode) == 0 && write_all(file, bytes, length);
  const bool is_closed = close(file) == 0;
  if (!is_written || !is_closed || renameat(directory, names->temporary, directory, names->current) != 0)
    unlinkat(directory, names->temporary, 0);
}

static bool remove_file(int directory, const char* name) {
  if (kind_of(directory, name) != kRegularFile) return false;
  unlinkat(directory, name, 0);
  return true;
}

// Looks for the first regular file by name that begins and ends with the given texts.
struct search {
  const char* prefix;
  const char* suffix;
  char found[NAME_MAX + 1];
};

static bool is_match(const char* name, const char* prefix, const char* suffix) {
  const size_t length = strlen(name), before = strlen(prefix), after = strlen(suffix);
  return length >= before + after && memcmp(name, prefix, before) == 0 &&
         memcmp(name + length - after, suffix, after) == 0;
}

static void consider_record(int directory, const char* name, void* context) {
  struct search* search = context;
  if (!is_match(name, search->prefix, search->suffix)) return;
  if (search->found[0] != '\0' && strcmp(search->found, name) <= 0) return;
  if (kind_of(directory, name) == kRegularFile) snprintf(search->found, sizeof search->found, "%s", name);
}

static bool remove_match(int directory, const char* prefix, const char* suffix) {
  struct search search = {.prefix = prefix, .suffix = suffix, .found = ""};
  for_each_name(directory, consider_record, &search);
  return search.found[0] != '\0' && remove_file(directory, search.found);
}

void remove_record(int directory, const struct record_names* names) {
  if (remove_file(directory, names->current) || remove_file(directory, names->earlier)) return;
  // a script can change the address inside the tunnel after the session was recorded (ifconfig-push)
  if (remove_match(directory, names->without_virtual, "")) return;
  // a client over UDP can float to another address and port; its address inside the tunnel stays the same
  if (names->process_prefix[0] != '\0') remove_match(directory, names->process_prefix, names->virtual_suffix);
}
