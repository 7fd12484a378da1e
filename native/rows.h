// Members of a structure, read together into one row: the structure's address, and each member at a word of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "linear_map.h"
#include "physical_memory.h"

namespace subflowd {

struct Member {
  std::int32_t offset;  // from the structure's address, bytes
  std::int32_t length;  // bytes
  std::int32_t mask;    // of its bits those that count; -1: all
};

// What became of one row; src/kernel/addon.ts has the same numbers. `kSame`: read now and the last time, and as it was.
enum class RowStatus : std::uint8_t { kUnreadable = 0, kUntranslated = 1, kChanged = 2, kSame = 3 };

class RowReader {
 public:
  // Members must be valid().
  explicit RowReader(const std::vector<Member>& members);
  static bool valid(const Member& member) noexcept;

  // Bytes of a row: a multiple of 8.
  std::size_t row_bytes() const noexcept { return (1 + pieces_.size()) * sizeof(std::uint64_t); }

  // Lets the processor fetch what read() of this address will want.
  void prefetch(PhysicalMemory& memory, const LinearMap& map, std::uint64_t address) const noexcept;

  // Reads the row of the structure at a virtual address over what the row was (`out` and `before`: its bytes and status). A
  // row that is not read is all zeros. A member that lies in one aligned word is never torn where memory is mapped.
  RowStatus read(PhysicalMemory& memory, const LinearMap& map, std::uint64_t address, std::uint8_t* out,
                 RowStatus before);

 private:
  // What one word of a row holds.
  struct Piece {
    std::size_t at;  // from start_, bytes
    std::size_t bytes;
    std::uint64_t mask;
  };

  std::int64_t start_;  // of the first member, and the end of the last one, from the structure's address
  std::int64_t end_;
  std::vector<Piece> pieces_;
  std::vector<std::int64_t> ends_;   // first and last byte of each member, in order, from the structure's address
  std::vector<std::uint64_t> copy_;  // memory that is not mapped
};

}  // namespace subflowd
