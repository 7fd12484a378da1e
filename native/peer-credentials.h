// Who is at the other end of a unix socket. See src/kernel/addon.ts for the types and their documentation.
#pragma once

#include <napi.h>

namespace subflowd {

void init_peer_credentials(Napi::Env env, Napi::Object exports);

}  // namespace subflowd
