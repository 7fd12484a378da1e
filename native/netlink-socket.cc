#include "netlink-socket.h"

#include <linux/filter.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace subflowd {

namespace {

[[noreturn]] void fail(int error, const char* what) { throw std::system_error(error, std::system_category(), what); }

int open_socket(int protocol) noexcept { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol); }

}  // namespace

NetlinkSocket::NetlinkSocket(int protocol, int namespace_fd) {
  int error = 0;
  const char* what = "socket";
  if (namespace_fd == kOwnNamespace) {
    fd_ = open_socket(protocol);
    error = errno;
  } else {
    std::thread inside([&] {
      if (setns(namespace_fd, CLONE_NEWNET) != 0) {
        error = errno;
        what = "setns";
        return;
      }
      fd_ = open_socket(protocol);
      error = errno;
    });
    inside.join();
  }
  if (fd_ < 0) fail(error, what);
  // The kernel does not send multicasts to a socket without an address: it takes the socket for its own, number 0.
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) {
    error = errno;
    close(fd_);
    fail(error, "bind");
  }
  // Newer kernels then send the reason of an error as text. Older ones do not have this option.
  const int on = 1;
  setsockopt(fd_, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
}

NetlinkSocket::~NetlinkSocket() { close(fd_); }

void NetlinkSocket::join(std::uint32_t group) {
  if (setsockopt(fd_, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) fail(errno, "join");
}

void NetlinkSocket::drop_all() {
  sock_filter nothing[] = {{BPF_RET | BPF_K, 0, 0, 0}};
  const sock_fprog program{1, nothing};
  if (setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) fail(errno, "filter");
}

void NetlinkSocket::send(const void* bytes, std::size_t length) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd_, bytes, length, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) < 0) fail(errno, "send");
}

std::optional<std::size_t> NetlinkSocket::receive(void* out, std::size_t length) {
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_length = sizeof from;
    const ssize_t got = recvfrom(fd_, out, length, MSG_TRUNC, reinterpret_cast<sockaddr*>(&from), &from_length);
    if (got >= 0) {
      // Any process may send to a netlink socket. The kernel has the number 0.
      if (from_length == sizeof from && from.nl_pid == 0) return static_cast<std::size_t>(got);
      continue;
    }
    if (errno == EAGAIN) return std::nullopt;
    if (errno != EINTR) fail(errno, "receive");
  }
}

}  // namespace subflowd
