#include "rows.h"

#include <algorithm>

namespace subflowd {
namespace {

constexpr std::int64_t kWord = sizeof(std::uint64_t);
// The largest offset. The structures that subflowd reads have a few KiB.
constexpr std::int64_t kMaxOffset = 1 << 20;
constexpr std::int64_t kLine = 64;

std::uint64_t load(const std::byte* structure, const Word& word) noexcept {
  return word.mask & __atomic_load_n(reinterpret_cast<const std::uint64_t*>(structure + word.offset), __ATOMIC_RELAXED);
}

}  // namespace

bool Rows::valid(View<Word> words) noexcept {
  return words.count > 0 && std::all_of(words.begin(), words.end(), [](const Word& word) {
           return word.offset >= -kMaxOffset && word.offset <= kMaxOffset && word.offset % kWord == 0;
         });
}

Rows::Rows(PhysicalMemory& memory, const LinearMap& map, View<std::uint64_t> addresses, View<Word> words,
           View<std::uint64_t> rows, View<std::uint8_t> status)
    : memory_(memory),
      map_(map),
      addresses_(addresses),
      words_(words),
      rows_(rows),
      status_(status),
      generation_(memory.generation()) {
  const auto [first, last] =
      std::minmax_element(words.begin(), words.end(), [](const Word& a, const Word& b) { return a.offset < b.offset; });
  start_ = first->offset;
  length_ = static_cast<std::size_t>(last->offset + kWord - start_);
  for (const Word& word : words_) {
    if (lines_.empty() || word.offset / kLine != lines_.back() / kLine) lines_.push_back(word.offset);
  }
  for (std::size_t row = 0; row < kAhead; ++row) prefetch(row);
}

// The structures are scattered over memory. Without prefetching, the cache misses would take most of the time.
inline void Rows::prefetch(std::size_t row) noexcept {
  if (row >= addresses_.count) return;
  const std::uint64_t distance = addresses_[row] - cached_range_.first;
  const bool is_cached = distance <= cached_range_.room && distance % kWord == 0;
  const std::byte* structure = is_cached ? cached_range_.base + distance : locate(addresses_[row]);
  prefetched_[row % kAhead] = structure;
  if (structure == nullptr) return;
  for (const std::int64_t line : lines_) __builtin_prefetch(structure + line);
}

inline Rows::Resolved Rows::resolve(std::size_t row) {
  const std::byte* structure = prefetched_[row % kAhead];
  if (structure == nullptr) return copy(addresses_[row]);
  memory_.count_read();
  return {structure, {}};
}

// Returns where a structure is mapped; null if it must be copied or cannot be read.
const std::byte* Rows::locate(std::uint64_t address) noexcept {
  if (memory_.access() != Access::kMapped || address % kWord != 0) return nullptr;
  const std::uint64_t first = address + static_cast<std::uint64_t>(start_);
  const LinearPiece* piece = map_.find(first, length_);
  if (piece == nullptr) return nullptr;
  const Window window = memory_.uncounted_window(piece->physical(first), length_);
  drop_unmapped();
  if (window.length == 0) return nullptr;
  const std::uint64_t start = std::max(window.start, piece->physical_start);
  const std::uint64_t end = std::min(window.start + window.length, piece->physical(piece->virtual_end));
  cached_range_ = {address - (piece->physical(first) - start), end - start - length_, window.at(start) - start_};
  return window.at(piece->physical(first)) - start_;
}

// Copies a structure that is not mapped, or that crosses two windows.
Rows::Resolved Rows::copy(std::uint64_t address) {
  if (address % kWord != 0) return {nullptr, RowStatus::kUntranslated};
  const auto physical = map_.physical(address + static_cast<std::uint64_t>(start_), length_);
  if (!physical) return {nullptr, RowStatus::kUntranslated};
  copy_.resize(length_ / kWord);
  const bool is_read = memory_.read(*physical, copy_.data(), length_);
  drop_unmapped();
  if (!is_read) return {nullptr, RowStatus::kUnreadable};
  return {reinterpret_cast<const std::byte*>(copy_.data()) - start_, {}};
}

// When memory_ maps one more window, it may unmap all others (see kMaxWindows).
void Rows::drop_unmapped() noexcept {
  if (generation_ == memory_.generation()) return;
  generation_ = memory_.generation();
  cached_range_ = {};
  prefetched_.fill(nullptr);
}

std::size_t Rows::read() {
  std::uint64_t* out = rows_.begin();
  std::size_t changed_rows = 0;
  for (std::size_t row = 0; row < addresses_.count; ++row) {
    const auto [structure, failure] = resolve(row);
    auto now = failure;
    if (structure == nullptr) {
      out = std::fill_n(out, row_words(words_), 0);
    } else {
      bool differs = static_cast<RowStatus>(status_[row]) < RowStatus::kChanged;
      const auto put = [&](std::uint64_t value) {
        differs |= *out != value;
        *out++ = value;
      };
      put(addresses_[row]);
      for (const Word& word : words_) put(load(structure, word));
      now = differs ? RowStatus::kChanged : RowStatus::kUnchanged;
    }
    status_[row] = static_cast<std::uint8_t>(now);
    changed_rows += now != RowStatus::kUnchanged;
    prefetch(row + kAhead);
  }
  return changed_rows;
}

bool Rows::is_unchanged() {
  const std::uint64_t* out = rows_.begin();
  for (std::size_t row = 0; row < addresses_.count; ++row) {
    const auto [structure, failure] = resolve(row);
    const auto before = static_cast<RowStatus>(status_[row]);
    if (structure == nullptr || before < RowStatus::kChanged) {
      if (structure != nullptr || before != failure) return false;
      out += row_words(words_);
    } else {
      std::uint64_t difference = *out++ ^ addresses_[row];
      for (const Word& word : words_) difference |= *out++ ^ load(structure, word);
      if (difference != 0) return false;
    }
    prefetch(row + kAhead);
  }
  return true;
}

}  // namespace subflowd
