// Ignores signals without a name in Node, which are the real-time signals. See src/native/addon.ts.
#pragma once

#include <napi.h>

namespace subflowd {

void init_ignore_signal(Napi::Env env, Napi::Object exports);

}  // namespace subflowd
