#include "physical-memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace subflowd {
namespace {

constexpr std::uint64_t kPage = 4096;
// 64 TiB: the limit of Linux with 4-level page tables (MAX_PHYSMEM_BITS), and more than machines have. It bounds the
// table of windows, and makes every address a valid file offset.
constexpr std::uint64_t kMaxMemory = std::uint64_t{1} << 46;
// The amount of memory that one page-table page maps. To map a window takes some microseconds. A server's sockets need
// few windows, because the slab allocator puts them close together.
constexpr std::uint64_t kWindow = 2 * 1024 * 1024;
// 16 GiB of windows, which bounds the memory for page tables. When there are more, all are unmapped, and mapped again
// as they are used.
constexpr std::size_t kMaxWindows = 8192;

std::string system_message(const std::string& what) { return what + ": " + std::strerror(errno); }

// Loads aligned words one by one. memcpy may use any width, so that a pointer could be half old and half new.
void copy_words(void* out, const std::byte* from, std::size_t length) noexcept {
  auto* to = static_cast<std::byte*>(out);
  while (length > 0 && reinterpret_cast<std::uintptr_t>(from) % 8 != 0) {
    *to++ = *reinterpret_cast<const volatile std::byte*>(from++);
    --length;
  }
  for (; length >= 8; length -= 8, from += 8, to += 8) {
    const std::uint64_t word = __atomic_load_n(reinterpret_cast<const std::uint64_t*>(from), __ATOMIC_RELAXED);
    std::memcpy(to, &word, 8);
  }
  while (length > 0) {
    *to++ = *reinterpret_cast<const volatile std::byte*>(from++);
    --length;
  }
}

// The part of a window that is in the range.
Window window_at(const Range& range, std::uint64_t window, std::byte* base) noexcept {
  const std::uint64_t start = std::max(window * kWindow, range.start);
  return {start, std::min((window + 1) * kWindow, range.end) - start, base};
}

}  // namespace

PhysicalMemory::PhysicalMemory(const std::string& path, std::vector<Range> ranges, RequestedAccess requested,
                               bool writable)
    : writable_(writable) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  for (const Range& range : ranges) {
    if (range.start > range.end || range.end > kMaxMemory) {
      throw MemoryError("ERANGES", "a range of System RAM ends before it begins, or is beyond 64 TiB");
    }
    // Skip a page that is only partly RAM: the rest of it may belong to a device.
    const std::uint64_t start = (range.start + kPage - 1) / kPage * kPage;
    const std::uint64_t end = range.end / kPage * kPage;
    if (start >= end) continue;
    if (!ranges_.empty() && start < ranges_.back().range.end) {
      throw MemoryError("ERANGES", "the ranges of System RAM overlap");
    }
    const std::uint64_t first_window = start / kWindow;
    const std::uint64_t last_window = (end - 1) / kWindow;
    ranges_.push_back({{start, end}, std::vector<std::byte*>(last_window - first_window + 1, nullptr)});
  }
  if (ranges_.empty()) throw MemoryError("ERANGES", "no whole page of System RAM was given");

  fd_ = ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd_ < 0) throw MemoryError("EOPEN", system_message("cannot open " + path));
  try {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) throw MemoryError("EOPEN", system_message("cannot stat " + path));
    // An access to a mapping beyond the end of the file would kill the process.
    if (S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) < ranges_.back().range.end) {
      throw MemoryError("ERANGES", path + " is shorter than the ranges of System RAM given for it");
    }
    choose_access(requested);
  } catch (...) {
    close();
    throw;
  }
}

PhysicalMemory::~PhysicalMemory() { close(); }

void PhysicalMemory::choose_access(RequestedAccess requested) {
  if (requested == RequestedAccess::kBytes) return;
  MappedRange& largest =
      *std::max_element(ranges_.begin(), ranges_.end(), [](const MappedRange& a, const MappedRange& b) {
        return a.range.end - a.range.start < b.range.end - b.range.start;
      });
  if (map_window(largest, largest.windows.size() / 2) != nullptr) {
    access_ = Access::kMapped;
    map_errno_ = 0;
    return;
  }
  if (requested == RequestedAccess::kMapped) {
    errno = map_errno_;
    throw MemoryError("EMAP", system_message("the kernel refuses to map RAM"));
  }
}

PhysicalMemory::MappedRange* PhysicalMemory::find(std::uint64_t address, std::size_t length) noexcept {
  // Most addresses are in the same range as the one before.
  if (last_range_ < ranges_.size()) {
    const Range& range = ranges_[last_range_].range;
    if (address >= range.start && address < range.end)
      return length <= range.end - address ? &ranges_[last_range_] : nullptr;
  }
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                      [](std::uint64_t value, const MappedRange& w) { return value < w.range.start; });
  if (after == ranges_.begin()) return nullptr;
  MappedRange& candidate = *(after - 1);
  if (address >= candidate.range.end || length > candidate.range.end - address) return nullptr;
  last_range_ = static_cast<std::size_t>(&candidate - ranges_.data());
  return &candidate;
}

const PhysicalMemory::MappedRange* PhysicalMemory::find(std::uint64_t address, std::size_t length) const noexcept {
  return const_cast<PhysicalMemory*>(this)->find(address, length);
}

bool PhysicalMemory::contains(std::uint64_t address, std::size_t length) const noexcept {
  return find(address, length) != nullptr;
}

std::byte* PhysicalMemory::map_window(MappedRange& where, std::size_t index) noexcept {
  std::byte*& slot = where.windows[index];
  if (slot != nullptr) return slot;
  if (mapped_windows_ >= kMaxWindows) unmap_all();
  const std::uint64_t window = (where.range.start / kWindow + index) * kWindow;
  const std::uint64_t start = std::max(window, where.range.start);
  const std::uint64_t end = std::min(window + kWindow, where.range.end);
  void* mapped = ::mmap(nullptr, end - start, writable_ ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd_,
                        static_cast<off_t>(start));
  if (mapped == MAP_FAILED) {
    map_errno_ = errno;
    return nullptr;
  }
  ++mapped_windows_;
  slot = static_cast<std::byte*>(mapped);
  return slot;
}

void PhysicalMemory::find_window(std::uint64_t address, std::size_t length) noexcept {
  current_window_ = {};
  MappedRange* where = find(address, length);
  if (where == nullptr || length == 0) return;
  const std::uint64_t window = address / kWindow;
  if ((address + length - 1) / kWindow != window) return;
  std::byte* base = map_window(*where, window - where->range.start / kWindow);
  if (base == nullptr) return;
  current_window_ = window_at(where->range, window, base);
}

bool PhysicalMemory::read(std::uint64_t address, void* out, std::size_t length) noexcept {
  ++reads_;
  if (fd_ < 0 || !contains(address, length)) return false;
  auto* to = static_cast<std::byte*>(out);
  if (access_ == Access::kMapped) {
    while (length > 0) {
      const std::size_t piece = std::min<std::uint64_t>(length, kWindow - address % kWindow);
      if (!current_window_.contains(address, piece)) find_window(address, piece);
      if (current_window_.length == 0) return false;
      copy_words(to, current_window_.at(address), piece);
      to += piece;
      address += piece;
      length -= piece;
    }
    return true;
  }
  while (length > 0) {
    const ssize_t got = ::pread(fd_, to, length, static_cast<off_t>(address));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    address += static_cast<std::uint64_t>(got);
    length -= static_cast<std::size_t>(got);
  }
  return true;
}

void PhysicalMemory::write_byte(std::uint64_t address, std::uint8_t value) {
  if (!writable_) throw MemoryError("EWRITE", "memory was opened for reading only");
  if (!contains(address, 1)) throw MemoryError("EWRITE", "the address is not System RAM");
  ssize_t put;
  do {
    put = ::pwrite(fd_, &value, 1, static_cast<off_t>(address));
  } while (put < 0 && errno == EINTR);
  if (put != 1) throw MemoryError("EWRITE", system_message("cannot write to physical memory"));
}

void PhysicalMemory::unmap_all() noexcept {
  for (MappedRange& where : ranges_) {
    for (std::size_t index = 0; index < where.windows.size(); ++index) {
      if (where.windows[index] == nullptr) continue;
      const std::uint64_t window = (where.range.start / kWindow + index) * kWindow;
      const std::uint64_t start = std::max(window, where.range.start);
      const std::uint64_t end = std::min(window + kWindow, where.range.end);
      ::munmap(where.windows[index], end - start);
      where.windows[index] = nullptr;
    }
  }
  mapped_windows_ = 0;
  current_window_ = {};
  ++generation_;
}

void PhysicalMemory::close() noexcept {
  unmap_all();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace subflowd
