// What TypeScript sees of a netlink socket. See src/kernel/addon.ts for the types and their documentation.
#pragma once

#include <napi.h>

namespace subflowd {

void init_netlink(Napi::Env env, Napi::Object exports);

}  // namespace subflowd
