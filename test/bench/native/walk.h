// The floor of finding connections, and the paper's way to one of them: loops that follow the pointers, structure by
// structure, and keep what a switch needs to know.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "memory.h"

namespace bench {

// Offsets in bytes by `struct.member`, bit offsets by `struct.member:`, and addresses; as the benchmark sets them.
using Places = std::map<std::string, std::uint64_t>;

struct Ends {
  std::array<std::uint8_t, 16> local, remote;
  std::uint16_t local_port, remote_port;  // the remote one as it lies in memory
};

struct Subflow {
  std::uint64_t meta, context;
  Ends ends;
  bool ours, peers, pending;
};

class Walker {
 public:
  explicit Walker(const Places& places);

  // Every subflow of every connection of the process whose task is `task`; upstream's family.
  template <typename Memory>
  void walk(Memory& memory, std::uint64_t task, std::vector<Subflow>& found) const;

  // The paper's: from init_task to the process, from there to the connection of this port, and its last subflow's bits.
  template <typename Memory>
  std::uint64_t seek(Memory& memory, std::uint32_t pid, std::uint16_t remote_port) const;

 private:
  template <typename Memory, typename Found>
  void each_meta(Memory& memory, std::uint64_t task, Found found) const;
  template <typename Memory, typename Found>
  void each_subflow(Memory& memory, std::uint64_t meta, Found found) const;
  template <typename Memory>
  bool ends(Memory& memory, std::uint64_t sk, Ends& into) const;
  std::uint64_t physical(std::uint64_t address) const noexcept {
    return address >= text_ ? address - text_ + code_ : address - direct_;
  }

  std::uint64_t direct_, text_, code_, init_task_;
  std::uint64_t tasks_, pid_, files_, fdt_, max_fds_, fd_, inode_, mode_, to_socket_, socket_low_, socket_length_, sk_;
  std::uint64_t family_, state_, dport_, num_, daddr_, saddr_, daddr6_, saddr6_, sock_low_, sock_length_;
  std::uint64_t protocol_, conn_list_, node_, tcp_sock_, context_length_, ours_, peers_, pending_;
  std::vector<std::uint64_t> array_pages_;
};

}  // namespace bench
