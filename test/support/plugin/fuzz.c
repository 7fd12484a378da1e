// Gives the plugin mutated variables: `fuzz EVENTS SEED COUNT`. The same seed makes the same inputs. Built with
// `-fsanitize=fuzzer` and `-DLIBFUZZER`, libFuzzer makes them instead (EVENTS is then the variable SUBFLOWD_EVENTS).
// An input is a byte that chooses the event, and the variables, each with a NUL at its end.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvpn-abi.h"

enum { kMaxInput = 16384, kMaxVariables = 128 };

static void* handle;

static void open_plugin(const char* events) {
  const char* const argv[] = {"subflowd-plugin.so", events, NULL};
  const char* const no_variables[] = {NULL};
  const struct openvpn_plugin_args_open_in in = {.argv = argv, .envp = no_variables, .callbacks = NULL};
  struct openvpn_plugin_args_open_return out = {0};
  if (openvpn_plugin_open_v3(5, &in, &out) != kSuccess) abort();
  handle = out.handle;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const char* const operations[] = {"add", "update", "delete", ""};
  if (size == 0) return 0;
  if (handle == NULL) open_plugin(getenv("SUBFLOWD_EVENTS"));
  // a copy of exactly this size on the heap, so that the sanitizer sees a read behind it
  char* text = malloc(size);
  const char* variables[kMaxVariables + 1];
  int count = 0;
  if (text == NULL) abort();
  memcpy(text, data + 1, size - 1);
  text[size - 1] = '\0';
  for (size_t at = 0; at < size && count < kMaxVariables; at += strlen(text + at) + 1) variables[count++] = text + at;
  variables[count] = NULL;
  const int choice = data[0];
  const char* const argv[] = {"subflowd-plugin.so", choice & 8 ? NULL : operations[choice & 3], NULL};
  const struct openvpn_plugin_args_func_in in = {.type = choice & 4 ? kClientDisconnect : kLearnAddress,
                                                 .argv = choice == 255 ? NULL : argv,
                                                 .envp = variables,
                                                 .handle = handle};
  struct openvpn_plugin_args_func_return out = {0};
  if (openvpn_plugin_func_v3(5, &in, &out) != kSuccess) abort();
  free(text);
  return 0;
}

#ifndef LIBFUZZER

static uint64_t state;

// xorshift64 (Marsaglia, "Xorshift RNGs", 2003). Returns a number below `limit`.
static size_t next(size_t limit) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (size_t)(state % limit);
}

static const char kSeed[] =
    "\0daemon_pid=4242\0trusted_ip=192.0.2.7\0trusted_port=50000\0ifconfig_pool_remote_ip=10.8.0.2\0time_unix=1700000000\0"
    "proto_1=tcp-server\0proto_2=udp\0dev=tun0\0config=server.conf\0common_name=alice";

// Parts of variables that matter to the plugin.
static const char* const kWords[] = {
    "daemon_pid=", "trusted_ip=", "trusted_ip6=2001:db8::1", "trusted_port=", "time_unix=", "common_name=",
    "=", "/", "..", "-", "%s%n", "udp", "4294967296", "\xff\xfe",
};

static size_t insert(uint8_t* input, size_t size, size_t at, const void* bytes, size_t length) {
  if (size + length > kMaxInput) return size;
  memmove(input + at + length, input + at, size - at);
  memcpy(input + at, bytes, length);
  return size + length;
}

static size_t mutate(uint8_t* input, size_t size) {
  const size_t at = next(size);
  const char* word = kWords[next(sizeof kWords / sizeof *kWords)];
  static uint8_t filler[3000];
  switch (next(6)) {
    case 0:
      input[at] = (uint8_t)next(256);
      return size;
    case 1:  // another event
      input[0] = (uint8_t)next(16);
      return size;
    case 2: {  // a part is missing
      const size_t length = next(size - at) + 1;
      memmove(input + at, input + at + length, size - at - length);
      return size - length > 0 ? size - length : 1;
    }
    case 3:
      return insert(input, size, at, word, strlen(word));
    case 4:  // a long value
      memset(filler, 'x', sizeof filler);
      return insert(input, size, at, filler, next(sizeof filler));
    default: {  // a part is there twice
      const size_t length = next(size - at) + 1;
      uint8_t part[kMaxInput];
      memcpy(part, input + at, length);
      return insert(input, size, at, part, length);
    }
  }
}

int main(int count, char** arguments) {
  static uint8_t input[kMaxInput];
  if (count != 4) return 2;
  open_plugin(arguments[1]);
  state = strtoull(arguments[2], NULL, 10) * 2654435761u + 1;
  size_t size = 0;
  for (long left = strtol(arguments[3], NULL, 10); left > 0; left--) {
    // the plain seed comes often, because mutations of a mutation are soon nothing but noise
    if (size == 0 || next(8) == 0) {
      size = sizeof kSeed;
      memcpy(input, kSeed, size);
    }
    const size_t changes = next(3);
    for (size_t change = 0; change < changes; change++) size = mutate(input, size);
    LLVMFuzzerTestOneInput(input, size);
  }
  return 0;
}

#endif
