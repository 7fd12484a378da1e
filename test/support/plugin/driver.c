// Calls the plugin as OpenVPN does. Each request on standard input is a line `COMMAND BYTES` and so many bytes: texts that
// each end with NUL. The answer is a line: what the plugin returned, and whether errno is as it was.
//   open:       the variables; the arguments of this program are those of the plugin
//   learn:      the variables, after `add`, `update` or `delete`
//   disconnect: the variables
//   close
//   user, root: changes the user, changes the root, as OpenVPN does after it opened the plugin; a number, a directory
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "openvpn-abi.h"

enum { kMaxTexts = 512, kInputBytes = 1 << 20 };

static void* handle;
static char** plugin_arguments;

static void log_line(int flags, const char* name, const char* format, ...) {
  (void)flags;
  (void)format;
  fprintf(stderr, "%s: %s\n", name, format);
}

static int call(const char* command, const char* const* texts) {
  static const struct openvpn_plugin_callbacks callbacks = {.plugin_log = log_line};
  if (strcmp(command, "open") == 0) {
    const struct openvpn_plugin_args_open_in in = {
        .argv = (const char* const*)plugin_arguments, .envp = texts, .callbacks = &callbacks};
    struct openvpn_plugin_args_open_return out = {0};
    const int result = openvpn_plugin_open_v3(5, &in, &out);
    handle = out.handle;
    return handle == NULL ? -1 : result;
  }
  if (strcmp(command, "close") == 0) return openvpn_plugin_close_v1(handle), 0;
  if (strcmp(command, "user") == 0) return setegid(65534) || seteuid((uid_t)atoi(texts[0]));
  if (strcmp(command, "root") == 0) return chroot(texts[0]) || chdir("/");
  const int is_learn = strcmp(command, "learn") == 0;
  const char* const argv[] = {"subflowd-plugin.so", is_learn ? texts[0] : NULL, "10.8.0.2", NULL};
  const struct openvpn_plugin_args_func_in in = {.type = is_learn ? kLearnAddress : kClientDisconnect,
                                                 .argv = argv,
                                                 .envp = texts + is_learn,
                                                 .handle = handle};
  struct openvpn_plugin_args_func_return out = {0};
  return openvpn_plugin_func_v3(5, &in, &out);
}

int main(int count, char** arguments) {
  static char input[kInputBytes];
  static const char* texts[kMaxTexts + 1];
  char command[32];
  size_t bytes;
  (void)count;
  plugin_arguments = arguments;
  while (scanf("%31s %zu", command, &bytes) == 2) {
    getchar();
    if (bytes > sizeof input || fread(input, 1, bytes, stdin) != bytes) return 1;
    int number = 0;
    for (size_t at = 0; at < bytes && number < kMaxTexts; at += strlen(input + at) + 1) texts[number++] = input + at;
    texts[number] = NULL;
    errno = EDOM;
    const int result = call(command, texts);
    printf("%d %s\n", result, errno == EDOM ? "same" : "changed");
    fflush(stdout);
  }
  return 0;
}
