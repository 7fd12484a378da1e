// The floor of a switch whose session is known: what any program must do that re-reads the way to a field and changes
// it. Mapped, each address comes out of the pointer that was loaded before it; byte-wise, each page is read once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../../../native/guarded-commit.h"
#include "memory.h"

namespace bench {

// A word on the way, its address relative to the pointer that an earlier word held, or absolute.
struct Step {
  std::int64_t from;   // index of that earlier step; -1: none
  std::uint64_t delta;  // added to the pointer; the physical address itself where there is none
  subflowd::Guard guard;
};

// What lies in one page and is read at once.
struct Page {
  std::uint64_t low;
  std::uint64_t length;
  std::vector<std::size_t> steps;
};

struct Session {
  std::vector<Step> steps;
  std::vector<subflowd::Guard> guards;
  std::vector<Page> pages;
  // To make it so and to make it otherwise: by turns.
  std::vector<subflowd::Change> changes[2];
};

// Words of 8 bytes as test/bench/plan.ts writes them.
std::vector<Session> read_sessions(const std::string& file);

// Each session in turn, and after the last the first again with the other changes.
class Turns {
 public:
  explicit Turns(std::vector<Session>&& sessions) : sessions_(std::move(sessions)) {}
  void mapped(const Mapped& memory, std::uint64_t count);
  void bytes(Bytes& memory, std::uint64_t count);
  // The addon's own commit without JavaScript around it: where the rest of the time goes.
  void guarded(subflowd::PhysicalMemory& memory, std::uint64_t count);

 private:
  const Session& next(const std::vector<subflowd::Change>** changes);
  std::vector<Session> sessions_;
  std::size_t at_ = 0;
  std::size_t turn_ = 0;
};

}  // namespace bench
