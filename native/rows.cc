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

std::size_t words_of(std::size_t bytes) noexcept { return (bytes + kWord - 1) / kWord; }

std::uint64_t load(const std::uint64_t* word) noexcept { return __atomic_load_n(word, __ATOMIC_RELAXED); }

// `length` bytes, at most a word, from any place.
std::uint64_t bytes_at(const std::uint64_t* words, std::size_t at, std::size_t length) noexcept {
  const std::size_t within = at % kWord;
  std::uint64_t value = load(words + at / kWord) >> (8 * within);
  if (within + length > kWord) value |= load(words + at / kWord + 1) << (8 * (kWord - within));
  return length == kWord ? value : value & ((std::uint64_t{1} << (8 * length)) - 1);
}

}  // namespace

bool RowReader::valid(const Member& member) noexcept {
  return member.offset >= -kFarthest && member.offset <= kFarthest && member.length > 0 && member.length <= kLongest;
}

RowReader::RowReader(std::vector<Member> members)
    : members_(std::move(members)),
      start_(std::numeric_limits<std::int64_t>::max()),
      end_(std::numeric_limits<std::int64_t>::min()) {
  std::size_t row_words = 1;
  for (const Member& member : members_) {
    start_ = std::min<std::int64_t>(start_, member.offset);
    end_ = std::max<std::int64_t>(end_, std::int64_t{member.offset} + member.length);
    row_words += words_of(static_cast<std::size_t>(member.length));
  }
  fresh_.resize(row_words);
  // wherever the first member lies in its word
  copy_.resize(words_of(static_cast<std::size_t>(end_ - start_)) + 1);
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

  std::uint64_t* to = fresh_.data();
  *to++ = address;
  for (const Member& member : members_) {
    std::size_t at = within + static_cast<std::size_t>(member.offset - start_);
    for (std::size_t left = static_cast<std::size_t>(member.length); left > 0;) {
      const std::size_t piece = std::min(left, kWord);
      *to++ = bytes_at(words, at, piece) & static_cast<std::uint64_t>(std::int64_t{member.mask});
      at += piece;
      left -= piece;
    }
  }
  if (before >= RowStatus::kChanged && std::memcmp(out, fresh_.data(), row_bytes()) == 0) return RowStatus::kSame;
  std::memcpy(out, fresh_.data(), row_bytes());
  return RowStatus::kChanged;
}

}  // namespace subflowd
