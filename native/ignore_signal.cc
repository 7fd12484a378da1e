#include "ignore_signal.h"

#include <csignal>

#include "arguments.h"

namespace subflowd {

namespace {

void IgnoreSignal(const Napi::CallbackInfo& info) {
  constexpr const char* kWanted = "ignoreSignal(number: of a signal)";
  if (info.Length() != 1 || !info[0].IsNumber()) reject_arguments(info.Env(), kWanted);
  struct sigaction action = {};
  action.sa_handler = SIG_IGN;
  if (sigaction(info[0].As<Napi::Number>().Int32Value(), &action, nullptr) != 0) reject_arguments(info.Env(), kWanted);
}

}  // namespace

void init_ignore_signal(Napi::Env env, Napi::Object exports) {
  exports.Set("ignoreSignal", Napi::Function::New(env, IgnoreSignal, "ignoreSignal"));
}

}  // namespace subflowd
