#include "rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace subflowd {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);
// The largest structure that is read is some KiB long.
constexpr std::int32_t kFarthest = 1 << 20;
constexpr std::int32_t kLongest = 64;
constexpr std::uint64_t kLine = 64;
static_assert(kLongest <= kLine, "the two ends of a member lie in all the cache lines that it lies in");

std::size_t words_of(std::size_t bytes) noexcept { return (bytes + kWord - 1) / kWord; }

std::uint64_t load(const std::uint64_t* word) noexcept { return __atomic_load_n(word, __ATOMIC_RELAXED); }

// A word at `out`, wherever that lies. Returns whether it was another one.
bool put(std::uint8_t* out, std::uint64_t value) noexcept {
  std::uint64_t before;
  std::memcpy(&before, out, kWord);
  if (before == value) return false;
  std::memcpy(out, &value, kWord);
  return true;
}

}  // namespace

bool RowReader::valid(const Member& member) noexcept {
  return member.offset >= -kFarthest && member.offset <= kFarthest && member.length > 0 && member.length <= kLongest;
}

RowReader::RowReader(const std::vector<Member>& members)
    : start_(std::numeric_limits<std::int64_t>::max()), end_(std::numeric_limits<std::int64_t>::min()) {
  for (const Member& member : members) {
    const std::int64_t end = std::int64_t{member.offset} + member.length;
    start_ = std::min<std::int64_t>(start_, member.offset);
    end_ = std::max(end_, end);
    ends_.insert(ends_.end(), {member.offset, end - 1});
  }
  std::sort(ends_.begin(), ends_.end());
  for (const Member& member : members) {
    const auto first = static_cast<std::size_t>(member.offset - start_);
    const auto length = static_cast<std::size_t>(member.length);
    for (std::size_t done = 0; done < length; done += kWord) {
      const std::size_t bytes = std::min(length - done, kWord);
      const auto counts = static_cast<std::uint64_t>(std::int64_t{member.mask});
      pieces_.push_back({first + done, bytes, counts & (~std::uint64_t{0} >> (8 * (kWord - bytes)))});
    }
  }
  // wherever the first member lies in its word
  copy_.resize(words_of(static_cast<std::size_t>(end_ - start_)) + 1);
}

void RowReader::prefetch(PhysicalMemory& memory, const LinearMap& map, std::uint64_t address) const noexcept {
  const auto physical = map.physical(address, 1);
  if (!physical) return;
  std::uint64_t last = ~std::uint64_t{0};
  for (const std::int64_t end : ends_) {
    const std::uint64_t line = (*physical + static_cast<std::uint64_t>(end)) / kLine;
    if (line != last) memory.prefetch(line * kLine);
    last = line;
  }
}

RowStatus RowReader::read(PhysicalMemory& memory, const LinearMap& map, std::uint64_t address, std::uint8_t* out,
                          RowStatus before) {
  const auto give_up = [&](RowStatus status) {
    std::memset(out, 0, row_bytes());
    return status;
  };
  const auto physical =
      map.physical(address + static_cast<std::uint64_t>(start_), static_cast<std::size_t>(end_ - start_));
  if (!physical) return give_up(RowStatus::kUntranslated);
  const std::size_t within = *physical % kWord;
  const std::size_t length = words_of(within + static_cast<std::size_t>(end_ - start_)) * kWord;
  const std::uint64_t* words = memory.words(*physical - within, length, copy_.data());
  if (words == nullptr) return give_up(RowStatus::kUnreadable);

  bool changed = put(out, address);
  for (const Piece& piece : pieces_) {
    const std::size_t at = within + piece.at;
    const std::size_t skipped = at % kWord;
    std::uint64_t value = load(words + at / kWord) >> (8 * skipped);
    if (skipped + piece.bytes > kWord) value |= load(words + at / kWord + 1) << (8 * (kWord - skipped));
    out += kWord;
    changed |= put(out, value & piece.mask);
  }
  return changed || before < RowStatus::kChanged ? RowStatus::kChanged : RowStatus::kSame;
}

}  // namespace subflowd
