#include "guarded_commit.h"

#include <cstring>
#include <string>

namespace subflowd {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr int kAttempts = 64;

[[noreturn]] void throw_unreadable(std::size_t index) {
  throw MemoryError("EGUARD", "guard " + std::to_string(index) + " of the trail cannot be read");
}

void check(const PhysicalMemory& memory, const Change& change) {
  const bool width_known = change.width == 1 || change.width == 2 || change.width == 4;
  if (!width_known || change.address % change.width != 0 || change.mask == 0 || (change.value & ~change.mask) != 0 ||
      (change.width < 4 && (change.mask >> (8 * change.width)) != 0)) {
    throw MemoryError("ETARGET", "the change is malformed");
  }
  if (!memory.writable()) throw MemoryError("ETARGET", "memory was opened for reading only");
  if (!memory.contains(change.address, change.width)) throw MemoryError("ETARGET", "the field is not System RAM");
  if (memory.access() == Access::kBytes && change.width != 1) {
    throw MemoryError("ETARGET", "without mapping only single bytes can be changed");
  }
}

template <typename Unit>
int swap_bits(void* where, const Change& change) {
  auto* unit = static_cast<Unit*>(where);
  const auto mask = static_cast<Unit>(change.mask);
  const auto value = static_cast<Unit>(change.value);
  Unit before = __atomic_load_n(unit, __ATOMIC_RELAXED);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if ((before & mask) == value) return kHeldAlready;
    const auto after = static_cast<Unit>((before & static_cast<Unit>(~mask)) | value);
    if (__atomic_compare_exchange_n(unit, &before, after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) return kChanged;
  }
  throw MemoryError("EBUSY", "the field's word changed under every attempt");
}

int commit_mapped(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change) {
  // Before the guards, so that a first touch of the window does not lie between the last guard and the change.
  void* where = memory.at(change.address, change.width);
  if (where == nullptr) throw MemoryError("ETARGET", "the field's page cannot be mapped");
  for (std::size_t index = 0; index < count; ++index) {
    const auto* word = static_cast<const std::uint64_t*>(memory.at(guards[index].address, 8));
    if (word == nullptr) throw_unreadable(index);
    if ((__atomic_load_n(word, __ATOMIC_ACQUIRE) & guards[index].mask) != guards[index].expected) {
      return static_cast<int>(index);
    }
  }
  // A guard's window may have taken the place of the field's (see kMaxWindows): look again, which costs nothing.
  where = memory.at(change.address, change.width);
  if (where == nullptr) throw MemoryError("ETARGET", "the field's page cannot be mapped");
  switch (change.width) {
    case 1:
      return swap_bits<std::uint8_t>(where, change);
    case 2:
      return swap_bits<std::uint16_t>(where, change);
    default:
      return swap_bits<std::uint32_t>(where, change);
  }
}

// Guards of one page that follow each other in the trail are read with one system call, and the field's byte with
// the last of them if it lies there too: what makes the fewest calls also leaves the shortest time to be wrong in.
int commit_bytes(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change) {
  unsigned char page[kPage];
  std::uint8_t before = 0;
  bool have_byte = false;
  for (std::size_t first = 0; first < count;) {
    const std::uint64_t page_number = guards[first].address / kPage;
    std::uint64_t low = guards[first].address;
    std::uint64_t high = low + 8;
    std::size_t next = first + 1;
    for (; next < count && guards[next].address / kPage == page_number; ++next) {
      low = std::min(low, guards[next].address);
      high = std::max(high, guards[next].address + 8);
    }
    const bool holds_field = next == count && change.address / kPage == page_number;
    if (holds_field) {
      low = std::min(low, change.address);
      high = std::max(high, change.address + 1);
    }
    if (!memory.read(low, page, high - low)) throw_unreadable(first);
    for (std::size_t index = first; index < next; ++index) {
      std::uint64_t word;
      std::memcpy(&word, page + (guards[index].address - low), sizeof word);
      if ((word & guards[index].mask) != guards[index].expected) return static_cast<int>(index);
    }
    if (holds_field) {
      before = page[change.address - low];
      have_byte = true;
    }
    first = next;
  }
  if (!have_byte && !memory.read(change.address, &before, 1)) {
    throw MemoryError("ETARGET", "the field cannot be read");
  }
  if ((before & change.mask) == change.value) return kHeldAlready;
  memory.write_byte(change.address, static_cast<std::uint8_t>((before & ~change.mask) | change.value));
  return kChanged;
}

}  // namespace

int guarded_commit(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change) {
  check(memory, change);
  for (std::size_t index = 0; index < count; ++index) {
    const Guard& guard = guards[index];
    if (guard.address % 8 != 0 || (guard.expected & ~guard.mask) != 0) throw_unreadable(index);
  }
  return memory.access() == Access::kMapped ? commit_mapped(memory, guards, count, change)
                                            : commit_bytes(memory, guards, count, change);
}

}  // namespace subflowd
