// A netlink socket in a network namespace, which Node cannot open. TypeScript encodes and parses the datagrams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>

namespace subflowd {

// Instead of a namespace's descriptor: the namespace of this process.
constexpr int kOwnNamespace = -1;

class NetlinkSocket {
 public:
  // A socket belongs to the namespace in which it is created. setns(2) applies to one thread, so a temporary thread
  // enters the namespace and creates the socket. Throws std::system_error: EPERM (CAP_SYS_ADMIN is missing to enter a
  // namespace), EPROTONOSUPPORT, EMFILE.
  NetlinkSocket(int protocol, int namespace_fd);
  ~NetlinkSocket();
  NetlinkSocket(const NetlinkSocket&) = delete;
  NetlinkSocket& operator=(const NetlinkSocket&) = delete;

  int fd() const noexcept { return fd_; }

  // Throws std::system_error: EPERM if the group needs CAP_NET_ADMIN.
  void join(std::uint32_t group);

  // From now on the kernel drops every datagram for this socket, so that its buffer never overflows. Throws
  // std::system_error.
  void drop_all();

  // Sends a datagram to the kernel. Throws std::system_error.
  void send(const void* bytes, std::size_t length);

  // Receives the next datagram from the kernel, and discards datagrams from other senders. Returns its length, which
  // may be more than `length`: then `out` has only its beginning. Returns nothing if there is no datagram. Throws
  // std::system_error: ENOBUFS if the kernel dropped datagrams before this one.
  std::optional<std::size_t> receive(void* out, std::size_t length);

 private:
  int fd_ = -1;
};

}  // namespace subflowd
