#include "send-datagram.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "arguments.h"

namespace subflowd {

namespace {

// The result is 0, or an errno. It never waits: a full socket is EAGAIN.
int send_datagram(const sockaddr_un& address, const View<std::uint8_t>& bytes) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const ssize_t sent = sendto(fd, bytes.begin(), bytes.count, MSG_DONTWAIT | MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int result = sent < 0 ? errno : 0;
  close(fd);
  return result;
}

Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  constexpr const char* kWanted = "sendDatagram(path: string, of a unix socket, bytes: Uint8Array)";
  if (info.Length() != 2 || !info[0].IsString()) reject_arguments(info.Env(), kWanted);
  const std::string path = info[0].As<Napi::String>();
  const auto bytes = to_bytes(info[1], kWanted);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // An empty path would be an abstract name, and the system would end the path at a zero.
  const bool is_path = !path.empty() && path.size() < sizeof address.sun_path && path.find('\0') == std::string::npos;
  if (!is_path) reject_arguments(info.Env(), kWanted);
  std::memcpy(address.sun_path, path.data(), path.size());
  return Napi::Number::New(info.Env(), send_datagram(address, bytes));
}

}  // namespace

void init_send_datagram(Napi::Env env, Napi::Object exports) {
  exports.Set("sendDatagram", Napi::Function::New(env, SendDatagram, "sendDatagram"));
}

}  // namespace subflowd
