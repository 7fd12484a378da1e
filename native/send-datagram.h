// Sends datagrams to unix sockets, which Node cannot. See src/native/addon.ts.
#pragma once

#include <napi.h>

namespace subflowd {

void init_send_datagram(Napi::Env env, Napi::Object exports);

}  // namespace subflowd
