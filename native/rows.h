// Words of a structure, read together into one row: the structure's address, and of each word the bits that count.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "arguments.h"
#include "linear-map.h"
#include "physical-memory.h"

namespace subflowd {

// A word of 8 bytes of a structure.
struct Word {
  std::int64_t offset;  // from the structure's address, bytes; a multiple of 8
  std::uint64_t mask;   // its bits that count
};

// What became of one row; src/kernel/addon.ts has the same numbers. `kSame`: read now and the last time, and as it was.
enum class RowStatus : std::uint8_t { kUnreadable = 0, kUntranslated = 1, kChanged = 2, kSame = 3 };

// The rows of many structures, and what became of each; those that a call finds are of the one before.
class Rows {
 public:
  // Words must be valid(), and there must be room for a row and a status of each address.
  Rows(PhysicalMemory& memory, const LinearMap& map, View<std::uint64_t> addresses, View<Word> words,
       View<std::uint64_t> rows, View<std::uint8_t> status);
  static bool valid(View<Word> words) noexcept;

  // Words of one row.
  static std::size_t row_words(View<Word> words) noexcept { return 1 + words.count; }

  // Reads all rows anew. One that is not read is all zeros; a word is never torn where memory is mapped. Returns how many
  // are not kSame.
  std::size_t read();

  // Whether read() would find every row as it is, and no more and no fewer to be read. Writes nothing.
  bool hold();

 private:
  // How many structures ahead are fetched: far enough that they are there in time, not so far that they are gone again.
  static constexpr std::size_t kAhead = 32;

  // Structures that are all seen in one window.
  struct Neighbours {
    std::uint64_t first = 0;           // virtual address of the first one that there may be
    std::uint64_t room = 0;            // how far from it the last one may be, bytes
    const std::byte* place = nullptr;  // of the first one in this process
  };

  // A structure as it is now, or why it is not seen.
  struct Seen {
    const std::byte* structure;
    RowStatus why;
  };

  void look_ahead(std::size_t row) noexcept;
  Seen see(std::size_t row);
  const std::byte* locate(std::uint64_t address) noexcept;
  Seen copy(std::uint64_t address);
  void forget_unmapped() noexcept;

  PhysicalMemory& memory_;
  const LinearMap& map_;
  View<std::uint64_t> addresses_;
  View<Word> words_;
  View<std::uint64_t> rows_;
  View<std::uint8_t> status_;
  std::int64_t start_;               // of the first word, from the structure's address
  std::size_t length_;               // up to the end of the last one
  std::vector<std::int64_t> lines_;  // words of which each other one lies in one's cache line
  std::uint64_t generation_;         // of the windows
  Neighbours near_;
  std::array<const std::byte*, kAhead> ahead_{};  // where the next structures are seen, by row; null where they are not
  std::vector<std::uint64_t> copy_;               // memory that is not mapped
};

}  // namespace subflowd
