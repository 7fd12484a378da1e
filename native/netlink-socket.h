// A netlink socket in a network namespace: what Node cannot open. What its datagrams mean, TypeScript knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>

namespace subflowd {

// No namespace's descriptor: the one that this process is in.
constexpr int kOwnNamespace = -1;

class NetlinkSocket {
 public:
  // A socket stays in the namespace that it was made in, so one thread enters that and ends (setns(2) is per thread).
  // Throws std::system_error with an errno: EPERM without CAP_SYS_ADMIN to enter a namespace, EPROTONOSUPPORT, EMFILE.
  NetlinkSocket(int protocol, int namespace_fd);
  ~NetlinkSocket();
  NetlinkSocket(const NetlinkSocket&) = delete;
  NetlinkSocket& operator=(const NetlinkSocket&) = delete;

  int fd() const noexcept { return fd_; }

  // Throws std::system_error: EPERM where the group takes CAP_NET_ADMIN.
  void join(std::uint32_t group);

  // To the kernel. Throws std::system_error.
  void send(const void* bytes, std::size_t length);

  // The next datagram from the kernel; what others sent is thrown away. Nothing if none waits. The result is the
  // datagram's length, which may be more than was given: then only its beginning is in `out`.
  // Throws std::system_error: ENOBUFS if datagrams were lost before this one.
  std::optional<std::size_t> receive(void* out, std::size_t length);

 private:
  int fd_ = -1;
};

}  // namespace subflowd
