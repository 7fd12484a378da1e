#include "commit-batch.h"

#include <algorithm>

namespace subflowd {
namespace {

constexpr std::size_t kHeader = 2;
constexpr std::size_t kGuardWords = sizeof(Guard) / sizeof(std::uint64_t);
// Not a result: the commit waits for a later pass.
constexpr int kWaiting = -6;

bool is_made(int result) { return result == kChanged || result == kUnchanged; }

}  // namespace

CommitBatch::CommitBatch(PhysicalMemory& memory, View<std::uint64_t> guards, View<Change> changes,
                         View<BatchedCommit> commits, View<std::int32_t> results)
    : memory_(memory), guards_(guards), changes_(changes), commits_(commits), results_(results) {}

bool CommitBatch::is_valid() const noexcept {
  if (results_.count != commits_.count) return false;
  for (std::size_t index = 0; index < commits_.count; ++index) {
    const auto [guards, first, count, after] = commits_[index];
    if (guards < 0 || first < 0 || count < 0 || after < -1 || after >= static_cast<std::int64_t>(index)) return false;
    const auto at = static_cast<std::size_t>(guards);
    if (guards_.count < kHeader || at > guards_.count - kHeader) return false;
    if (guards_[at + 1] > (guards_.count - kHeader - at) / kGuardWords) return false;
    if (static_cast<std::size_t>(first) > changes_.count ||
        static_cast<std::size_t>(count) > changes_.count - static_cast<std::size_t>(first)) {
      return false;
    }
  }
  return true;
}

void CommitBatch::run() {
  std::fill(results_.begin(), results_.end(), kWaiting);
  while (run_pass()) {
  }
}

// Returns whether commits still wait.
bool CommitBatch::run_pass() {
  bool is_waiting = false;
  made_.clear();
  // Results of this pass are stored at its end: until then, others must not rely on them.
  std::vector<std::pair<std::size_t, int>> decided;
  for (std::size_t index = 0; index < commits_.count; ++index) {
    if (results_[index] != kWaiting) continue;
    const std::int32_t after = commits_[index].after;
    const int before = after < 0 ? kUnchanged : results_[static_cast<std::size_t>(after)];
    if (before == kWaiting) {
      is_waiting = true;
    } else if (!is_made(before)) {
      decided.emplace_back(index, kNotTried);
    } else {
      const std::size_t made = made_.size();
      const int result = commit(commits_[index]);
      for (std::size_t at = made; at < made_.size(); ++at) made_[at].index = index;
      decided.emplace_back(index, result);
    }
  }
  for (const auto& [index, result] : decided) results_[index] = result;
  read_back();
  return is_waiting;
}

int CommitBatch::commit(const BatchedCommit& batched) {
  const auto at = static_cast<std::size_t>(batched.guards);
  const auto* guards = reinterpret_cast<const Guard*>(guards_.begin() + at + kHeader);
  int result = kUnchanged;
  try {
    for (std::int32_t number = 0; number < batched.count; ++number) {
      Change change = changes_[static_cast<std::size_t>(batched.first + number)];
      change.address += guards_[at];
      const bool is_mapped = memory_.access() == Access::kMapped;
      const int one = is_mapped ? commit_without_read_back(memory_, guards, guards_[at + 1], change)
                                : guarded_commit(memory_, guards, guards_[at + 1], change);
      if (one >= 0 || one == kOverwritten) return one;
      if (one == kChanged && is_mapped) made_.push_back({0, change});
      result = std::max(result, one);
    }
  } catch (const MemoryError&) {
    return kFailed;
  }
  return result;
}

void CommitBatch::read_back() {
  if (made_.empty()) return;
  wait_for_other_stores();
  for (const auto& [index, change] : made_) {
    if (results_[index] == kChanged && is_overwritten(memory_, change)) results_[index] = kOverwritten;
  }
}

}  // namespace subflowd
