#include "peer-credentials.h"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "arguments.h"

namespace subflowd {

namespace {

// SO_PEERCRED of a connected unix socket (unix(7)).
Napi::Value peer_credentials(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  constexpr const char* kSignature = "peerCredentials(fd: int32)";
  if (info.Length() != 1) reject_arguments(env, kSignature);
  const int fd = to_integer<std::int32_t>(info[0], kSignature);
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    const int error = errno;
    throw Napi::Error::New(env, std::system_category().message(error));
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("pid", Napi::Number::New(env, peer.pid));
  result.Set("uid", Napi::Number::New(env, peer.uid));
  result.Set("gid", Napi::Number::New(env, peer.gid));
  return result;
}

}  // namespace

void init_peer_credentials(Napi::Env env, Napi::Object exports) {
  exports.Set("peerCredentials", Napi::Function::New(env, peer_credentials, "peerCredentials"));
}

}  // namespace subflowd
