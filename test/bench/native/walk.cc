#include "walk.h"

#include <algorithm>
#include <stdexcept>

namespace bench {
namespace {

constexpr std::uint16_t kSocketMode = 0xc000;
constexpr std::uint16_t kMptcp = 262;
constexpr std::uint64_t kPage = 4096;

bool bit(const std::byte* structure, std::uint64_t offset) noexcept {
  return (load<std::uint8_t>(structure + offset / 8) >> (offset % 8) & 1) != 0;
}

}  // namespace

Walker::Walker(const Locations& locations) {
  const auto at = [&](const std::string& name) {
    const auto found = locations.find(name);
    if (found == locations.end()) throw std::runtime_error(name + " was not set");
    return found->second;
  };
  direct_ = at("direct");
  text_ = at("text");
  code_ = at("code");
  init_task_ = at("init_task");
  tasks_ = at("task_struct.tasks");
  pid_ = at("task_struct.pid");
  files_ = at("task_struct.files");
  fdt_ = at("files_struct.fdt");
  max_fds_ = at("fdtable.max_fds");
  fd_ = at("fdtable.fd");
  inode_ = at("file.f_inode");
  mode_ = at("inode.i_mode");
  to_socket_ = at("socket_alloc.socket") - at("socket_alloc.vfs_inode");
  sk_ = at("socket.sk");
  family_ = at("sock_common.skc_family");
  state_ = at("sock_common.skc_state");
  dport_ = at("sock_common.skc_dport");
  num_ = at("sock_common.skc_num");
  daddr_ = at("sock_common.skc_daddr");
  saddr_ = at("sock_common.skc_rcv_saddr");
  daddr6_ = at("sock_common.skc_v6_daddr");
  saddr6_ = at("sock_common.skc_v6_rcv_saddr");
  sock_length_ = std::max({family_ + 2, state_ + 1, dport_ + 2, num_ + 2, daddr_ + 4, saddr_ + 4, daddr6_ + 16, saddr6_ + 16});
  protocol_ = at("sock.sk_protocol");
  conn_list_ = at("mptcp_sock.conn_list");
  node_ = at("mptcp_subflow_context.node");
  tcp_sock_ = at("mptcp_subflow_context.tcp_sock");
  ours_ = at("mptcp_subflow_context.request_bkup:");
  peers_ = at("mptcp_subflow_context.backup:");
  pending_ = at("mptcp_subflow_context.send_mp_prio:");
  context_length_ = std::max({node_ + 8, tcp_sock_ + 8, ours_ / 8 + 1, peers_ / 8 + 1, pending_ / 8 + 1});
  // If the array of files is in vmalloc space, the benchmark sends the physical addresses of its pages.
  for (std::uint64_t page = 0; locations.count("array:" + std::to_string(page)) > 0; ++page) {
    array_pages_.push_back(at("array:" + std::to_string(page)));
  }
}

template <typename Memory>
bool Walker::read_endpoints(Memory& memory, std::uint64_t sk, Endpoints& into) const {
  const std::byte* sock = memory.view(physical(sk), sock_length_);
  const auto family = load<std::uint16_t>(sock + family_);
  if ((family != 2 && family != 10) || load<std::uint8_t>(sock + state_) != 1) return false;
  into.remote_port = load<std::uint16_t>(sock + dport_);
  into.local_port = load<std::uint16_t>(sock + num_);
  const std::size_t size = family == 2 ? 4 : 16;
  std::memcpy(into.remote.data(), sock + (family == 2 ? daddr_ : daddr6_), size);
  std::memcpy(into.local.data(), sock + (family == 2 ? saddr_ : saddr6_), size);
  return true;
}

template <typename Memory, typename Found>
void Walker::each_meta(Memory& memory, std::uint64_t task, Found found) const {
  const auto pointer = [&](std::uint64_t address) { return load<std::uint64_t>(memory.view(physical(address), 8)); };
  const std::uint64_t fdt = pointer(pointer(task + files_) + fdt_);
  const std::byte* table = memory.view(physical(fdt), std::max(max_fds_ + 4, fd_ + 8));
  const auto max_fds = load<std::uint32_t>(table + max_fds_);
  const auto array = load<std::uint64_t>(table + fd_);
  std::vector<std::uint64_t> files(max_fds);
  auto* into = reinterpret_cast<std::byte*>(files.data());
  for (std::uint64_t done = 0, bytes = 8 * max_fds; done < bytes;) {
    const std::uint64_t page = (array % kPage + done) / kPage;
    const std::uint64_t piece = array_pages_.empty() ? bytes : std::min(bytes - done, kPage - (array + done) % kPage);
    const std::uint64_t from = array_pages_.empty() ? physical(array) : array_pages_.at(page) + (array + done) % kPage;
    std::memcpy(into + done, memory.view(from, piece), piece);
    done += piece;
  }
  for (const std::uint64_t file : files) {
    if (file == 0) continue;
    const std::uint64_t inode = pointer(file + inode_);
    if ((load<std::uint16_t>(memory.view(physical(inode + mode_), 2)) & 0xf000) != kSocketMode) continue;
    const std::uint64_t sk = pointer(inode + to_socket_ + sk_);
    Endpoints meta;
    if (sk == 0 || !read_endpoints(memory, sk, meta)) continue;
    if (load<std::uint16_t>(memory.view(physical(sk + protocol_), 2)) != kMptcp) continue;
    if (!found(sk, meta)) return;
  }
}

template <typename Memory, typename Found>
void Walker::each_subflow(Memory& memory, std::uint64_t meta, Found found) const {
  const std::uint64_t head = meta + conn_list_;
  auto node = load<std::uint64_t>(memory.view(physical(head), 8));
  while (node != head) {
    const std::uint64_t at = node - node_;
    const std::byte* context = memory.view(physical(at), context_length_);
    Subflow subflow{meta, at, {}, bit(context, ours_), bit(context, peers_), bit(context, pending_)};
    node = load<std::uint64_t>(context + node_);
    const auto sk = load<std::uint64_t>(context + tcp_sock_);
    if (read_endpoints(memory, sk, subflow.endpoints)) found(subflow);
  }
}

template <typename Memory>
void Walker::walk(Memory& memory, std::uint64_t task, std::vector<Subflow>& found) const {
  found.clear();
  each_meta(memory, task, [&](std::uint64_t sk, const Endpoints&) {
    each_subflow(memory, sk, [&](const Subflow& subflow) { found.push_back(subflow); });
    return true;
  });
}

template <typename Memory>
std::uint64_t Walker::find_last_subflow(Memory& memory, std::uint32_t pid, std::uint16_t remote_port) const {
  const std::uint64_t low = std::min(tasks_, pid_);
  const std::uint64_t length = std::max(tasks_ + 8, pid_ + 4) - low;
  std::uint64_t task = init_task_;
  for (;;) {
    const std::byte* structure = memory.view(physical(task + low), length);
    if (load<std::uint32_t>(structure + (pid_ - low)) == pid) break;
    task = load<std::uint64_t>(structure + (tasks_ - low)) - tasks_;
    if (task == init_task_) throw std::runtime_error("no process has this PID");
  }
  std::uint64_t context = 0;
  each_meta(memory, task, [&](std::uint64_t sk, const Endpoints& meta) {
    if (meta.remote_port != remote_port) return true;
    each_subflow(memory, sk, [&](const Subflow& subflow) { context = subflow.context; });
    return false;
  });
  if (context == 0) throw std::runtime_error("no connection has this remote port");
  return physical(context);
}

template void Walker::walk(MappedMemory&, std::uint64_t, std::vector<Subflow>&) const;
template void Walker::walk(ByteMemory&, std::uint64_t, std::vector<Subflow>&) const;
template std::uint64_t Walker::find_last_subflow(ByteMemory&, std::uint32_t, std::uint16_t) const;

}  // namespace bench
