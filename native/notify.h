// Sends messages to the service manager, which Node cannot do: it has no unix datagram sockets. See
// src/native/addon.ts.
#pragma once

#include <napi.h>

namespace subflowd {

void init_notify(Napi::Env env, Napi::Object exports);

}  // namespace subflowd
