// The process at the other end of a unix socket. See src/native/addon.ts.
#pragma once

#include <napi.h>

namespace subflowd {

void init_peer_credentials(Napi::Env env, Napi::Object exports);

}  // namespace subflowd
