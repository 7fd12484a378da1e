// Words of a structure, read together into one row: the structure's address, and of each word the bits that count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arguments.h"
#include "linear_map.h"
#include "physical_memory.h"

namespace subflowd {

// A word of 8 bytes of a structure.
struct Word {
  std::int32_t offset;      // from the structure's address, bytes; a multiple of 8
  std::uint32_t low, high;  // its bits that count

  std::uint64_t mask() const noexcept { return std::uint64_t{high} << 32 | low; }
};

// What became of one row; src/kernel/addon.ts has the same numbers. `kSame`: read now and the last time, and as it was.
enum class RowStatus : std::uint8_t { kUnreadable = 0, kUntranslated = 1, kChanged = 2, kSame = 3 };

// The rows of many structures, and what became of each; those that a call finds are of the one before.
class Rows {
 public:
  // Words must be valid(), and there must be room for a row and a status of each address.
  Rows(View<std::uint64_t> addresses, View<Word> words, View<std::uint64_t> rows, View<std::uint8_t> status);
  static bool valid(View<Word> words) noexcept;

  // Words of one row.
  static std::size_t row_words(View<Word> words) noexcept { return 1 + words.count; }

  // Reads all rows anew. One that is not read is all zeros; a word is never torn where memory is mapped. Returns how many
  // are not kSame.
  std::size_t read(PhysicalMemory& memory, const LinearMap& map);

  // Whether read() would find every row as it is, and no more and no fewer to be read. Writes nothing.
  bool hold(PhysicalMemory& memory, const LinearMap& map);

 private:
  struct Seen {
    const std::uint64_t* first;  // where the word of the least offset is seen; null if it is not
    RowStatus status;            // of what is not seen
  };

  Seen see(PhysicalMemory& memory, const LinearMap& map, std::uint64_t address);
  // Lets the processor fetch what the row some structures further on will want.
  void prefetch(PhysicalMemory& memory, const LinearMap& map, std::size_t row) const noexcept;

  View<std::uint64_t> addresses_;
  View<Word> words_;
  View<std::uint64_t> rows_;
  View<std::uint8_t> status_;
  std::int64_t start_;  // of the first word, and the end of the last one, from the structure's address
  std::int64_t end_;
  std::vector<std::uint64_t> copy_;  // memory that is not mapped
};

}  // namespace subflowd
