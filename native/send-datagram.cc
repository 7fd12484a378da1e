#include "send-datagram.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "arguments.h"

namespace subflowd {

namespace {

constexpr int kNoDescriptor = -1;

// The result is 0, or an errno. It never waits: a full socket is EAGAIN.
int send_datagram(sockaddr_un& to, socklen_t to_length, const View<std::uint8_t>& bytes, int descriptor) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  iovec part{bytes.begin(), bytes.count};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = to_length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor != kNoDescriptor) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  const int result = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
  close(fd);
  return result;
}

Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  constexpr const char* kWanted = "sendDatagram(path: string, of a unix socket, bytes: Uint8Array, fd?: int32 >= 0)";
  if (info.Length() < 2 || info.Length() > 3 || !info[0].IsString()) reject_arguments(info.Env(), kWanted);
  std::string path = info[0].As<Napi::String>();
  const auto bytes = to_bytes(info[1], kWanted);
  const int descriptor = info[2].IsUndefined() ? kNoDescriptor : to_integer<std::int32_t>(info[2], kWanted, 0);
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  // An empty path would be an abstract name, and the system would end the path at a zero.
  const bool is_path = !path.empty() && path.size() < sizeof to.sun_path && path.find('\0') == std::string::npos;
  if (!is_path) reject_arguments(info.Env(), kWanted);
  if (path.front() == '@') path.front() = '\0';
  std::memcpy(to.sun_path, path.data(), path.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return Napi::Number::New(info.Env(), send_datagram(to, length, bytes, descriptor));
}

}  // namespace

void init_send_datagram(Napi::Env env, Napi::Object exports) {
  exports.Set("sendDatagram", Napi::Function::New(env, SendDatagram, "sendDatagram"));
}

}  // namespace subflowd
