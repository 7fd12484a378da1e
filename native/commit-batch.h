// Many guarded commits in one call.
#pragma once

#include <cstdint>
#include <vector>

#include "arguments.h"
#include "guarded-commit.h"
#include "physical-memory.h"

namespace subflowd {

// One commit of a batch.
struct BatchedCommit {
  std::int32_t guards;  // index in the words of the guards: a target, the number of guards, and the guards
  std::int32_t first;   // index of its first change
  std::int32_t count;   // the number of its changes
  std::int32_t after;   // index of an earlier commit that must be made first; -1: none
};

// Results of a commit in a batch, beside those of guarded_commit.
constexpr int kNotTried = -4;  // the commit that must be made first was not made
constexpr int kFailed = -5;    // guarded_commit threw a MemoryError

// Commits that wait for others are carried out in later passes. With mapped memory, all changes of a pass are read back
// after one wait.
class CommitBatch {
 public:
  CommitBatch(PhysicalMemory& memory, View<std::uint64_t> guards, View<Change> changes, View<BatchedCommit> commits,
              View<std::int32_t> results);

  // Whether every index is in its array, and every commit waits only for an earlier one. There must be a result for
  // each.
  bool is_valid() const noexcept;

  void run();

 private:
  int commit(const BatchedCommit& batched);
  bool run_pass();
  void read_back();

  struct Made {
    std::size_t index;  // of the commit
    Change change;
  };

  PhysicalMemory& memory_;
  View<std::uint64_t> guards_;
  View<Change> changes_;
  View<BatchedCommit> commits_;
  View<std::int32_t> results_;
  std::vector<Made> made_;  // the changes of this pass, which are not read back yet
};

}  // namespace subflowd
