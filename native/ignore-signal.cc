#include "ignore-signal.h"

#include <csignal>

#include "arguments.h"

namespace subflowd {

namespace {

void IgnoreSignal(const Napi::CallbackInfo& info) {
  constexpr const char* kWanted = "ignoreSignal(number: int32, of a signal)";
  if (info.Length() != 1) reject_arguments(info.Env(), kWanted);
  const int number = to_integer<std::int32_t>(info[0], kWanted);
  struct sigaction action = {};
  action.sa_handler = SIG_IGN;
  if (sigaction(number, &action, nullptr) != 0) reject_arguments(info.Env(), kWanted);
}

}  // namespace

void init_ignore_signal(Napi::Env env, Napi::Object exports) {
  exports.Set("ignoreSignal", Napi::Function::New(env, IgnoreSignal, "ignoreSignal"));
}

}  // namespace subflowd
