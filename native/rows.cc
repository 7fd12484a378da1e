#include "rows.h"

#include <algorithm>

namespace subflowd {
namespace {

constexpr std::int32_t kWord = sizeof(std::uint64_t);
// The largest structure that is read is some KiB long.
constexpr std::int32_t kFarthest = 1 << 20;
constexpr std::uint64_t kLine = 64;
// How many structures ahead are fetched: far enough that they are there in time, not so far that they are gone again.
constexpr std::size_t kAhead = 16;

std::uint64_t load(const std::uint64_t* word) noexcept { return __atomic_load_n(word, __ATOMIC_RELAXED); }

}  // namespace

bool Rows::valid(View<Word> words) noexcept {
  return words.count > 0 && std::all_of(words.begin(), words.end(), [](const Word& word) {
           return word.offset >= -kFarthest && word.offset <= kFarthest && word.offset % kWord == 0;
         });
}

Rows::Rows(View<std::uint64_t> addresses, View<Word> words, View<std::uint64_t> rows, View<std::uint8_t> status)
    : addresses_(addresses), words_(words), rows_(rows), status_(status) {
  const auto [first, last] = std::minmax_element(
      words.begin(), words.end(), [](const Word& a, const Word& b) { return a.offset < b.offset; });
  start_ = first->offset;
  end_ = last->offset + kWord;
}

Rows::Seen Rows::see(PhysicalMemory& memory, const LinearMap& map, std::uint64_t address) {
  const auto length = static_cast<std::size_t>(end_ - start_);
  // no structure of the kernel lies across words
  if (address % kWord != 0) return {nullptr, RowStatus::kUntranslated};
  const auto physical = map.physical(address + static_cast<std::uint64_t>(start_), length);
  if (!physical) return {nullptr, RowStatus::kUntranslated};
  return {memory.words(*physical, length, copy_), RowStatus::kUnreadable};
}

void Rows::prefetch(PhysicalMemory& memory, const LinearMap& map, std::size_t row) const noexcept {
  // Structures lie anywhere: to wait for each would take longer than all else.
  if (memory.access() != Access::kMapped || row + kAhead >= addresses_.count) return;
  const auto physical = map.physical(addresses_[row + kAhead], 1);
  if (!physical) return;
  std::uint64_t last = ~std::uint64_t{0};
  for (const Word& word : words_) {
    const std::uint64_t line = (*physical + static_cast<std::uint64_t>(std::int64_t{word.offset})) / kLine;
    if (line != last) memory.prefetch(line * kLine);
    last = line;
  }
}

std::size_t Rows::read(PhysicalMemory& memory, const LinearMap& map) {
  const std::size_t stride = row_words(words_);
  std::size_t others = 0;
  for (std::size_t row = 0; row < addresses_.count; ++row) {
    prefetch(memory, map, row);
    std::uint64_t* out = &rows_[row * stride];
    const auto put = [&](std::uint64_t value) {
      const bool is_other = *out != value;
      *out++ = value;
      return is_other;
    };
    auto now = RowStatus::kSame;
    const auto [first, why] = see(memory, map, addresses_[row]);
    if (first == nullptr) {
      std::fill_n(out, stride, 0);
      now = why;
    } else {
      bool changed = put(addresses_[row]);
      for (const Word& word : words_) changed |= put(load(first + (word.offset - start_) / kWord) & word.mask());
      if (changed || static_cast<RowStatus>(status_[row]) < RowStatus::kChanged) now = RowStatus::kChanged;
    }
    status_[row] = static_cast<std::uint8_t>(now);
    others += now != RowStatus::kSame;
  }
  return others;
}

bool Rows::hold(PhysicalMemory& memory, const LinearMap& map) {
  const std::uint64_t* out = rows_.begin();
  for (std::size_t row = 0; row < addresses_.count; ++row) {
    prefetch(memory, map, row);
    const auto [first, why] = see(memory, map, addresses_[row]);
    const auto before = static_cast<RowStatus>(status_[row]);
    if (first == nullptr || before < RowStatus::kChanged) {
      if (first != nullptr || before != why) return false;
      out += row_words(words_);
      continue;
    }
    std::uint64_t differ = *out++ ^ addresses_[row];
    for (const Word& word : words_) differ |= *out++ ^ (load(first + (word.offset - start_) / kWord) & word.mask());
    if (differ != 0) return false;
  }
  return true;
}

}  // namespace subflowd
