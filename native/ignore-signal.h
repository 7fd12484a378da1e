// Ignoring signals that Node gives no name, which are the real-time ones. See src/kernel/addon.ts.
#pragma once

#include <napi.h>

namespace subflowd {

void init_ignore_signal(Napi::Env env, Napi::Object exports);

}  // namespace subflowd
