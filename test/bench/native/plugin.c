// Times the plugin, called as OpenVPN calls it: `plugin PLUGIN`, with OpenVPN's variables in the environment. Each line
// `record COUNT` on standard input records a session so often; the answer is the nanoseconds of all. The removal of each
// record is not counted.
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../../../native/plugin/openvpn-abi.h"

typedef int open_function(int, const struct openvpn_plugin_args_open_in*, struct openvpn_plugin_args_open_return*);
typedef int call_function(int, const struct openvpn_plugin_args_func_in*, struct openvpn_plugin_args_func_return*);

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char** arguments) {
  void* library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  if (library == NULL) return fprintf(stderr, "%s\n", dlerror()), 1;
  open_function* open = (open_function*)dlsym(library, "openvpn_plugin_open_v3");
  call_function* call = (call_function*)dlsym(library, "openvpn_plugin_func_v3");
  const char* const* variables = (const char* const*)environ;
  const char* const argv[] = {arguments[1], NULL};
  const struct openvpn_plugin_args_open_in opened = {.argv = argv, .envp = variables};
  struct openvpn_plugin_args_open_return handle = {0};
  if (open(5, &opened, &handle) != kSuccess) return 1;
  const char* const add[] = {arguments[1], "add", "10.8.0.2", "alice", NULL};
  const struct openvpn_plugin_args_func_in learn = {
      .type = kLearnAddress, .argv = add, .envp = variables, .handle = handle.handle};
  const struct openvpn_plugin_args_func_in disconnect = {
      .type = kClientDisconnect, .argv = argv, .envp = variables, .handle = handle.handle};
  struct openvpn_plugin_args_func_return out = {0};
  for (int repetitions; scanf(" record %d", &repetitions) == 1;) {
    long long total = 0;
    for (int done = 0; done < repetitions; done++) {
      call(5, &disconnect, &out);
      const long long start = now();
      call(5, &learn, &out);
      total += now() - start;
    }
    printf("%lld\n", total);
    fflush(stdout);
  }
  return 0;
}
