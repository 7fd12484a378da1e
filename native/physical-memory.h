// Physical memory through a file whose offsets are physical addresses: /dev/mem, or an image.
//
// There are two kinds of access. Mapped: windows of the file are mapped, for plain loads and atomic instructions.
// Bytes: pread and pwrite, for kernels that refuse to map RAM (with PAT, arch/x86/mm/pat/memtype.c calls
// devmem_is_allowed() for each page).
//
// Only the ranges that the constructor receives (System RAM of /proc/iomem) are ever accessed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace subflowd {

// Becomes a JavaScript Error with this code.
class MemoryError : public std::runtime_error {
 public:
  MemoryError(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const noexcept { return code_; }

 private:
  const char* code_;
};

enum class Access { kMapped, kBytes };
enum class RequestedAccess { kAuto, kMapped, kBytes };

struct Range {
  std::uint64_t start;  // bytes, first address
  std::uint64_t end;    // bytes, one past the last address
};

// A part of physical memory that is mapped into this process.
struct Window {
  std::uint64_t start = 0;   // physical address
  std::uint64_t length = 0;  // bytes
  std::byte* base = nullptr;

  bool contains(std::uint64_t address, std::size_t bytes) const noexcept {
    const std::uint64_t offset = address - start;
    return offset < length && bytes <= length - offset && bytes > 0;
  }
  std::byte* at(std::uint64_t address) const noexcept { return base + (address - start); }
};

class PhysicalMemory {
 public:
  // Throws MemoryError: EOPEN (with the system's reason), ERANGES (the ranges are empty, overlapping, reversed or
  // beyond 64 TiB), EMAP (mapped access was requested and refused).
  PhysicalMemory(const std::string& path, std::vector<Range> ranges, RequestedAccess requested, bool writable);
  ~PhysicalMemory();
  PhysicalMemory(const PhysicalMemory&) = delete;
  PhysicalMemory& operator=(const PhysicalMemory&) = delete;

  Access access() const noexcept { return access_; }
  // The errno with which mmap failed; 0 if it did not fail or was not called.
  int map_errno() const noexcept { return map_errno_; }
  bool writable() const noexcept { return writable_; }
  // The number of calls of read() and window() so far, as a measure of cost that does not depend on the machine.
  std::uint64_t reads() const noexcept { return reads_; }

  // Whether [address, address + length) is completely in one range.
  bool contains(std::uint64_t address, std::size_t length) const noexcept;

  // Returns false if the bytes are not in the ranges or cannot be read. Mapped access never tears an aligned 8-byte
  // word.
  bool read(std::uint64_t address, void* out, std::size_t length) noexcept;

  // For mapped access: the window with these bytes, valid until the next call. It is empty if the bytes are not RAM or
  // cross two windows.
  const Window& window(std::uint64_t address, std::size_t length) noexcept {
    count_read();
    return uncounted_window(address, length);
  }

  // The same without counting, for callers that count each structure in the window themselves.
  const Window& uncounted_window(std::uint64_t address, std::size_t length) noexcept {
    // Consecutive guards of a trail are often in the same window.
    if (!current_window_.contains(address, length)) find_window(address, length);
    return current_window_;
  }
  void count_read() noexcept { ++reads_; }

  // Changes when windows that were returned earlier are no longer mapped.
  std::uint64_t generation() const noexcept { return generation_; }

  // For byte-wise access. Throws MemoryError EWRITE.
  void write_byte(std::uint64_t address, std::uint8_t value);

  void close() noexcept;

 private:
  struct MappedRange {
    Range range;
    std::vector<std::byte*> windows;  // one for each 2 MiB of the range; null until it is first used
  };

  MappedRange* find(std::uint64_t address, std::size_t length) noexcept;
  const MappedRange* find(std::uint64_t address, std::size_t length) const noexcept;
  std::byte* map_window(MappedRange& where, std::size_t index) noexcept;
  void find_window(std::uint64_t address, std::size_t length) noexcept;
  void unmap_all() noexcept;
  void choose_access(RequestedAccess requested);

  std::vector<MappedRange> ranges_;  // sorted, disjoint, whole pages
  std::size_t last_range_ = 0;       // index of the range that was used last
  Window current_window_;            // the window that was used last
  int fd_ = -1;
  Access access_ = Access::kBytes;
  int map_errno_ = 0;
  bool writable_;
  std::size_t mapped_windows_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace subflowd
