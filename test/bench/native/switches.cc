#include "switches.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

namespace bench {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMaxSteps = 64;

[[noreturn]] void guard_differs(std::size_t step) {
  throw std::runtime_error("the word of step " + std::to_string(step) + " has changed");
}

std::vector<Page> pages_of(const std::vector<subflowd::Guard>& guards) {
  std::map<std::uint64_t, Page> pages;
  for (std::size_t i = 0; i < guards.size(); ++i) {
    const std::uint64_t address = guards[i].address;
    const auto [found, fresh] = pages.try_emplace(address / kPage, Page{address, 8, {}});
    Page& page = found->second;
    if (!fresh) {
      const std::uint64_t end = std::max(page.low + page.length, address + 8);
      page.low = std::min(page.low, address);
      page.length = end - page.low;
    }
    page.steps.push_back(i);
  }
  std::vector<Page> all;
  for (auto& [number, page] : pages) all.push_back(std::move(page));
  return all;
}

template <typename Unit>
void swap_bits(std::byte* where, const subflowd::Change& change) {
  auto* unit = reinterpret_cast<Unit*>(where);
  Unit before = __atomic_load_n(unit, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(unit, &before, static_cast<Unit>((before & ~change.mask) | change.value), false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
  }
}

void change_mapped(std::byte* where, const subflowd::Change& change) {
  if (change.width == 1) return swap_bits<std::uint8_t>(where, change);
  if (change.width == 2) return swap_bits<std::uint16_t>(where, change);
  swap_bits<std::uint32_t>(where, change);
}

}  // namespace

std::vector<Session> read_sessions(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  std::size_t at = 0;
  const auto word = [&] {
    if (at + 8 > bytes.size()) throw std::runtime_error(file + " ends early");
    std::uint64_t value;
    std::memcpy(&value, bytes.data() + at, 8);
    at += 8;
    return value;
  };
  std::vector<Session> sessions(word());
  for (Session& session : sessions) {
    const std::uint64_t steps = word();
    if (steps > kMaxSteps) throw std::runtime_error("too many steps");
    for (std::uint64_t i = 0; i < steps; ++i) {
      const auto from = static_cast<std::int64_t>(word());
      const std::uint64_t delta = word();
      const subflowd::Guard guard{word(), word(), word()};
      session.steps.push_back({from, delta, guard});
      session.guards.push_back(guard);
    }
    session.pages = pages_of(session.guards);
    for (auto& changes : session.changes) {
      const std::uint64_t count = word();
      for (std::uint64_t i = 0; i < count; ++i) {
        // C++ evaluates a list in braces from left to right
        changes.push_back({word(), word(), word(), word(), word()});
      }
    }
  }
  return sessions;
}

const Session& SwitchRuns::next(const std::vector<subflowd::Change>** changes) {
  const Session& session = sessions_[at_];
  *changes = &session.changes[direction_];
  if (++at_ == sessions_.size()) {
    at_ = 0;
    direction_ ^= 1;
  }
  return session;
}

void SwitchRuns::mapped(const MappedMemory& memory, std::uint64_t count) {
  std::uint64_t values[kMaxSteps];
  for (std::uint64_t done = 0; done < count; ++done) {
    const std::vector<subflowd::Change>* changes;
    const Session& session = next(&changes);
    std::size_t i = 0;
    for (const Step& step : session.steps) {
      const std::uint64_t address = (step.from < 0 ? 0 : values[step.from]) + step.delta;
      values[i] = __atomic_load_n(reinterpret_cast<const std::uint64_t*>(memory.at(address)), __ATOMIC_RELAXED);
      if ((values[i] & step.guard.mask) != step.guard.expected) guard_differs(i);
      ++i;
    }
    for (const subflowd::Change& change : *changes) change_mapped(memory.at(change.address), change);
  }
}

void SwitchRuns::bytes(ByteMemory& memory, std::uint64_t count) {
  for (std::uint64_t done = 0; done < count; ++done) {
    const std::vector<subflowd::Change>* changes;
    const Session& session = next(&changes);
    std::vector<std::uint8_t> before(changes->size());
    std::vector<bool> have(changes->size());
    for (const Page& page : session.pages) {
      std::uint64_t low = page.low;
      std::uint64_t end = page.low + page.length;
      for (const subflowd::Change& change : *changes) {
        if (change.address / kPage != low / kPage) continue;
        low = std::min(low, change.address);
        end = std::max(end, change.address + 1);
      }
      const std::byte* bytes = memory.view(low, end - low);
      for (const std::size_t i : page.steps) {
        const subflowd::Guard& guard = session.guards[i];
        if ((load<std::uint64_t>(bytes + (guard.address - low)) & guard.mask) != guard.expected) guard_differs(i);
      }
      for (std::size_t i = 0; i < changes->size(); ++i) {
        const std::uint64_t address = (*changes)[i].address;
        if (address < low || address >= end) continue;
        before[i] = load<std::uint8_t>(bytes + (address - low));
        have[i] = true;
      }
    }
    for (std::size_t i = 0; i < changes->size(); ++i) {
      const subflowd::Change& change = (*changes)[i];
      if (!have[i]) before[i] = load<std::uint8_t>(memory.view(change.address, 1));
      memory.write_byte(change.address, static_cast<std::uint8_t>((before[i] & ~change.mask) | change.value));
    }
  }
}

void SwitchRuns::guarded(subflowd::PhysicalMemory& memory, std::uint64_t count) {
  for (std::uint64_t done = 0; done < count; ++done) {
    const std::vector<subflowd::Change>* changes;
    const Session& session = next(&changes);
    for (const subflowd::Change& change : *changes) {
      const int result = subflowd::guarded_commit(memory, session.guards.data(), session.guards.size(), change);
      if (result >= 0) guard_differs(static_cast<std::size_t>(result));
    }
  }
}

}  // namespace bench
