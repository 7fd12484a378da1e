// The lower bound of finding all connections, and the paper's search for one of them. Both follow the pointers from
// structure to structure, and keep what a switch needs.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "memory.h"

namespace bench {

// Byte offsets by `struct.member`, bit offsets by `struct.member:`, and addresses. test/bench/locations.ts sends them.
using Locations = std::map<std::string, std::uint64_t>;

struct Endpoints {
  std::array<std::uint8_t, 16> local, remote;
  std::uint16_t local_port, remote_port;  // the remote port is in network byte order, as in memory
};

struct Subflow {
  std::uint64_t meta, context;
  Endpoints endpoints;
  bool ours, peers, pending;
};

class Walker {
 public:
  explicit Walker(const Locations& locations);

  // Finds every subflow of every connection of the process with this task_struct, in an upstream kernel.
  template <typename Memory>
  void walk(Memory& memory, std::uint64_t task, std::vector<Subflow>& found) const;

  // The paper's search: from init_task to the process, then to the connection with this remote port, then to its last
  // subflow. Returns the physical address of the subflow's context. Throws std::runtime_error if there is none.
  template <typename Memory>
  std::uint64_t find_last_subflow(Memory& memory, std::uint32_t pid, std::uint16_t remote_port) const;

 private:
  template <typename Memory, typename Found>
  void each_meta(Memory& memory, std::uint64_t task, Found found) const;
  template <typename Memory, typename Found>
  void each_subflow(Memory& memory, std::uint64_t meta, Found found) const;
  template <typename Memory>
  bool read_endpoints(Memory& memory, std::uint64_t sk, Endpoints& into) const;
  std::uint64_t physical(std::uint64_t address) const noexcept {
    return address >= text_ ? address - text_ + code_ : address - direct_;
  }

  std::uint64_t direct_, text_, code_, init_task_;
  std::uint64_t tasks_, pid_, files_, fdt_, max_fds_, fd_, inode_, mode_, to_socket_, sk_;
  std::uint64_t family_, state_, dport_, num_, daddr_, saddr_, daddr6_, saddr6_, sock_length_;
  std::uint64_t protocol_, conn_list_, node_, tcp_sock_, context_length_, ours_, peers_, pending_;
  std::vector<std::uint64_t> array_pages_;
};

}  // namespace bench
