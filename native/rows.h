// Reads words of many structures into rows. A row has the address of the structure and then the selected words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "arguments.h"
#include "linear-map.h"
#include "physical-memory.h"

namespace subflowd {

// A selected word of a structure, 8 bytes.
struct Word {
  std::int64_t offset;  // bytes from the address of the structure; a multiple of 8
  std::uint64_t mask;   // the selected bits
};

// Result of reading one row; src/native/addon.ts has the same numbers. `kUnchanged`: the row was read this time and the
// last time, and did not change.
enum class RowStatus : std::uint8_t { kUnreadable = 0, kUntranslated = 1, kChanged = 2, kUnchanged = 3 };

// The rows of many structures and the status of each. The rows must have the contents of the last read.
class Rows {
 public:
  // Words must be valid(). There must be room for a row and a status for each address.
  Rows(PhysicalMemory& memory, const LinearMap& map, View<std::uint64_t> addresses, View<Word> words,
       View<std::uint64_t> rows, View<std::uint8_t> status);
  static bool valid(View<Word> words) noexcept;

  // The number of words in one row.
  static std::size_t row_words(View<Word> words) noexcept { return 1 + words.count; }

  // Reads all rows. A row that cannot be read is all zeros. If memory is mapped, a word is never torn. Returns the
  // number of rows that are not kUnchanged.
  std::size_t read();

  // Whether read() would leave all rows as they are. Writes nothing.
  bool is_unchanged();

 private:
  // How many structures ahead memory is prefetched: far enough to arrive in time, near enough to stay in the cache.
  // Without prefetching, an observation of 5,000 sessions takes 2.2 times as long (and one of 100 sessions 1.05 times).
  static constexpr std::size_t kAhead = 32;

  // Virtual addresses whose structures lie in one window: that of the last structure that was located. Without this
  // cache, an observation of 100 sessions takes 1.5 times as long (and one of 5,000 sessions 1.1 times).
  struct Range {
    std::uint64_t first = 0;          // the first address of a structure
    std::uint64_t room = 0;           // the largest distance from `first` to another one, bytes
    const std::byte* base = nullptr;  // where `first` is mapped
  };

  // A structure as it is now, or the reason why it cannot be read.
  struct Resolved {
    const std::byte* structure;
    RowStatus failure;
  };

  void prefetch(std::size_t row) noexcept;
  Resolved resolve(std::size_t row);
  const std::byte* locate(std::uint64_t address) noexcept;
  Resolved copy(std::uint64_t address);
  void drop_unmapped() noexcept;

  PhysicalMemory& memory_;
  const LinearMap& map_;
  View<std::uint64_t> addresses_;
  View<Word> words_;
  View<std::uint64_t> rows_;
  View<std::uint8_t> status_;
  std::int64_t start_;               // offset of the first word
  std::size_t length_;               // bytes from the start of the first word to the end of the last one
  std::vector<std::int64_t> lines_;  // one offset in each cache line that has words
  std::uint64_t generation_;         // of the windows of memory_
  Range cached_range_;
  std::array<const std::byte*, kAhead> prefetched_{};  // where the next structures are mapped, by row; null if nowhere
  std::vector<std::uint64_t> copy_;                    // a copy of a structure that is not mapped
};

}  // namespace subflowd
