// The JavaScript class NetlinkSocket. See src/native/addon.ts.
#pragma once

#include <napi.h>

namespace subflowd {

void init_netlink(Napi::Env env, Napi::Object exports);

}  // namespace subflowd
