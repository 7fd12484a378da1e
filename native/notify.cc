#include "notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <system_error>

#include "arguments.h"

namespace subflowd {

namespace {

constexpr int kNoDescriptor = -1;

// Sends one datagram to a unix socket, with a descriptor if there is one. Never waits. Returns errno, 0 for success.
int send_message(const sockaddr_un& to, socklen_t to_length, std::string& text, int descriptor) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_un*>(&to);
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
  const int error = sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
  close(fd);
  return error;
}

// sd_notify(3): an address that begins with @ is in the abstract namespace.
void notify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  constexpr const char* kWanted = "notify(socket: string, message: string, fd: int32 >= 0 | undefined)";
  if (info.Length() != 3 || !info[0].IsString() || !info[1].IsString()) reject_arguments(env, kWanted);
  const int descriptor = info[2].IsUndefined() ? kNoDescriptor : to_integer<std::int32_t>(info[2], kWanted, 0);
  std::string path = info[0].As<Napi::String>();
  std::string text = info[1].As<Napi::String>();
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof to.sun_path) reject_arguments(env, kWanted);
  if (path.front() == '@') path.front() = '\0';
  std::memcpy(to.sun_path, path.data(), path.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int error = send_message(to, length, text, descriptor);
  if (error != 0) throw Napi::Error::New(env, std::system_category().message(error));
}

}  // namespace

void init_notify(Napi::Env env, Napi::Object exports) {
  exports.Set("notify", Napi::Function::New(env, notify, "notify"));
}

}  // namespace subflowd
