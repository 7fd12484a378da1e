// Physical memory seen through a file whose offsets are physical addresses: /dev/mem, or an image of one.
//
// Two ways of access. Mapped: windows of the file in this process, plain loads and atomic instructions.
// Bytes: pread and pwrite, for kernels that refuse to map RAM (arch/x86/mm/pat/memtype.c asks
// devmem_is_allowed() for each page when PAT is on).
//
// Only the ranges given at the start (System RAM of /proc/iomem) are ever touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace subflowd {

// An error that JavaScript sees as an Error with this code.
class MemoryError : public std::runtime_error {
 public:
  MemoryError(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const noexcept { return code_; }

 private:
  const char* code_;
};

enum class Access { kMapped, kBytes };
enum class AccessWish { kAuto, kMapped, kBytes };

struct Range {
  std::uint64_t start;  // bytes, first address
  std::uint64_t end;    // bytes, one past the last address
};

// A piece of memory as this process sees it.
struct Window {
  std::uint64_t start = 0;   // physical address
  std::uint64_t length = 0;  // bytes
  std::byte* base = nullptr;

  bool holds(std::uint64_t address, std::size_t bytes) const noexcept {
    const std::uint64_t offset = address - start;
    return offset < length && bytes <= length - offset && bytes > 0;
  }
  std::byte* at(std::uint64_t address) const noexcept { return base + (address - start); }
};

class PhysicalMemory {
 public:
  // Throws MemoryError: EOPEN (with the system's reason), ERANGES (none, overlapping, reversed, beyond 64 TiB), EMAP (mapping wished and refused).
  PhysicalMemory(const std::string& path, std::vector<Range> ranges, AccessWish wish, bool writable);
  ~PhysicalMemory();
  PhysicalMemory(const PhysicalMemory&) = delete;
  PhysicalMemory& operator=(const PhysicalMemory&) = delete;

  Access access() const noexcept { return access_; }
  // Why mapping was not possible: an errno of mmap, 0 if it was or was not tried.
  int map_errno() const noexcept { return map_errno_; }
  bool writable() const noexcept { return writable_; }
  // Calls of read() and window() so far: what something costs, told without a clock.
  std::uint64_t reads() const noexcept { return reads_; }

  // Whether [address, address + length) lies wholly inside one range.
  bool contains(std::uint64_t address, std::size_t length) const noexcept;

  // False if the bytes are not RAM of the ranges or cannot be read. Never partial: `out` is whole or untouched
  // up to a torn read of memory that changes meanwhile (aligned 8-byte words are never torn when mapped).
  bool read(std::uint64_t address, void* out, std::size_t length) noexcept;

  // Mapped access only: the window that holds the bytes, good until the next call; one that holds nothing if they are
  // not RAM or cross a window.
  const Window& window(std::uint64_t address, std::size_t length) noexcept {
    count_read();
    return uncounted_window(address, length);
  }

  // For many things in one window, of which each that is read is counted.
  const Window& uncounted_window(std::uint64_t address, std::size_t length) noexcept {
    // What follows each other on a trail often lies in one window.
    if (!seen_.holds(address, length)) find_window(address, length);
    return seen_;
  }
  void count_read() noexcept { ++reads_; }

  // Another number than before once windows that were given are no longer mapped.
  std::uint64_t generation() const noexcept { return generation_; }

  // Bytes access only. Throws MemoryError EWRITE.
  void write_byte(std::uint64_t address, std::uint8_t value);

  void close() noexcept;

 private:
  struct Windowed {
    Range range;
    std::vector<std::byte*> windows;  // one slot per kWindow of the range, null until it is first touched
  };

  Windowed* find(std::uint64_t address, std::size_t length) noexcept;
  const Windowed* find(std::uint64_t address, std::size_t length) const noexcept;
  std::byte* map_window(Windowed& where, std::size_t index) noexcept;
  void find_window(std::uint64_t address, std::size_t length) noexcept;
  void unmap_all() noexcept;
  void choose_access(AccessWish wish);

  std::vector<Windowed> ranges_;  // sorted, disjoint, whole pages
  std::size_t last_ = 0;          // index of the range that was found last
  Window seen_;                   // the one that was touched last
  int fd_ = -1;
  Access access_ = Access::kBytes;
  int map_errno_ = 0;
  bool writable_;
  std::size_t mapped_windows_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace subflowd
