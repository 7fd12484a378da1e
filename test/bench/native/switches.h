// The lower bound of a switch if the session is already known. Any program must read the pointers to a field again before
// it changes the field. With mapped memory, each address is computed from the pointer that was loaded before it. With
// byte-wise access, each page is read once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../../../native/guarded-commit.h"
#include "memory.h"

namespace bench {

// One of the words to read again. Its address is relative to the pointer in an earlier word, or absolute.
struct Step {
  std::int64_t from;    // index of that earlier step; -1 if the address is absolute
  std::uint64_t delta;  // added to the pointer; the physical address if it is absolute
  subflowd::Guard guard;
};

// A range of bytes within one page that is read at once, and the steps whose words are in it.
struct Page {
  std::uint64_t low;
  std::uint64_t length;
  std::vector<std::size_t> steps;
};

struct Session {
  std::vector<Step> steps;
  std::vector<subflowd::Guard> guards;
  std::vector<Page> pages;
  // The changes to backup, then those to active.
  std::vector<subflowd::Change> changes[2];
};

// Reads the file that test/bench/trails.ts writes. Throws std::runtime_error if it is too short.
std::vector<Session> read_sessions(const std::string& file);

// Switches one session after the other. After the last session it begins again, with the opposite changes.
class SwitchRuns {
 public:
  explicit SwitchRuns(std::vector<Session>&& sessions) : sessions_(std::move(sessions)) {}
  void mapped(const MappedMemory& memory, std::uint64_t count);
  void bytes(ByteMemory& memory, std::uint64_t count);
  // Uses the addon's guarded commit without JavaScript. The difference to subflowd's time is the cost of JavaScript.
  void guarded(subflowd::PhysicalMemory& memory, std::uint64_t count);

 private:
  const Session& next(const std::vector<subflowd::Change>** changes);
  std::vector<Session> sessions_;
  std::size_t at_ = 0;
  std::size_t direction_ = 0;
};

}  // namespace bench
