#include "guarded-commit.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace subflowd {
namespace {

constexpr std::uint64_t kPage = 4096;
// How often a compare-and-swap is tried while the kernel changes other bits of the same unit.
constexpr int kAttempts = 64;

[[noreturn]] void throw_unreadable(std::size_t index) {
  throw MemoryError("EGUARD", "guard " + std::to_string(index) + " of the trail cannot be read");
}

// Throws if the change is malformed, or if this memory cannot be changed in this way.
void check(const PhysicalMemory& memory, const Change& change) {
  const auto [address, width, mask, value, read_back] = change;
  const bool width_known = width == 1 || width == 2 || width == 4;
  if (!width_known || address % width != 0 || mask == 0 || (mask >> (8 * width)) != 0 || (value & ~mask) != 0 ||
      (read_back & ~mask) != 0) {
    throw MemoryError("ETARGET", "the change is malformed");
  }
  if (!memory.writable()) throw MemoryError("ETARGET", "memory was opened for reading only");
  if (memory.access() == Access::kMapped) return;
  if (width != 1) throw MemoryError("ETARGET", "without mapping only single bytes can be changed");
  if (!memory.contains(address, width)) throw MemoryError("ETARGET", "the field is not System RAM");
}

bool is_well_formed(const Guard& guard) { return guard.address % 8 == 0 && (guard.expected & ~guard.mask) == 0; }

// Changes the bits of the mask with one atomic instruction.
template <typename Unit>
int swap_bits(void* where, const Change& change) {
  auto* unit = static_cast<Unit*>(where);
  const auto mask = static_cast<Unit>(change.mask);
  const auto value = static_cast<Unit>(change.value);
  Unit before = __atomic_load_n(unit, __ATOMIC_RELAXED);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if ((before & mask) == value) return kUnchanged;
    const auto after = static_cast<Unit>((before & static_cast<Unit>(~mask)) | value);
    if (__atomic_compare_exchange_n(unit, &before, after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) return kChanged;
  }
  throw MemoryError("EBUSY", "the field's word changed during every attempt");
}

template <typename Unit>
bool differs(const void* where, const Change& change) {
  return ((__atomic_load_n(static_cast<const Unit*>(where), __ATOMIC_RELAXED) ^ change.value) & change.read_back) != 0;
}

// Returns where the field is mapped.
void* map_field(PhysicalMemory& memory, const Change& change) {
  const Window& window = memory.window(change.address, change.width);
  if (window.length == 0) throw MemoryError("ETARGET", "the field is not System RAM, or its page cannot be mapped");
  return window.at(change.address);
}

int commit_mapped(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change) {
  // Maps the window of the field before the guards are compared, so that no page fault comes between them and the
  // change.
  map_field(memory, change);
  Window window;
  for (std::size_t index = 0; index < count; ++index) {
    const Guard& guard = guards[index];
    if (!is_well_formed(guard)) throw_unreadable(index);
    if (!window.contains(guard.address, 8)) {
      window = memory.window(guard.address, 8);
      if (window.length == 0) throw_unreadable(index);
    }
    const auto* word = reinterpret_cast<const std::uint64_t*>(window.at(guard.address));
    if ((__atomic_load_n(word, __ATOMIC_ACQUIRE) & guard.mask) != guard.expected) return static_cast<int>(index);
  }
  // The window of a guard may have replaced that of the field (see kMaxWindows in physical-memory.cc).
  void* where = map_field(memory, change);
  switch (change.width) {
    case 1:
      return swap_bits<std::uint8_t>(where, change);
    case 2:
      return swap_bits<std::uint16_t>(where, change);
    default:
      return swap_bits<std::uint32_t>(where, change);
  }
}

// One system call reads consecutive guards of the same page, and also the byte of the field if it is in the page of the
// last guards. Fewer calls also leave less time in which the kernel can change something.
int commit_bytes(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change) {
  unsigned char page[kPage];
  std::uint8_t before = 0;
  bool has_before = false;
  for (std::size_t index = 0; index < count; ++index) {
    if (!is_well_formed(guards[index])) throw_unreadable(index);
  }
  for (std::size_t first = 0; first < count;) {
    const std::uint64_t page_number = guards[first].address / kPage;
    std::uint64_t low = guards[first].address;
    std::uint64_t high = low + 8;
    std::size_t next = first + 1;
    for (; next < count && guards[next].address / kPage == page_number; ++next) {
      low = std::min(low, guards[next].address);
      high = std::max(high, guards[next].address + 8);
    }
    const bool has_field = next == count && change.address / kPage == page_number;
    if (has_field) {
      low = std::min(low, change.address);
      high = std::max(high, change.address + 1);
    }
    if (!memory.read(low, page, high - low)) throw_unreadable(first);
    for (std::size_t index = first; index < next; ++index) {
      std::uint64_t word;
      std::memcpy(&word, page + (guards[index].address - low), sizeof word);
      if ((word & guards[index].mask) != guards[index].expected) return static_cast<int>(index);
    }
    if (has_field) {
      before = page[change.address - low];
      has_before = true;
    }
    first = next;
  }
  if (!has_before && !memory.read(change.address, &before, 1)) {
    throw MemoryError("ETARGET", "the field cannot be read");
  }
  if ((before & change.mask) == change.value) return kUnchanged;
  memory.write_byte(change.address, static_cast<std::uint8_t>((before & ~change.mask) | change.value));
  if (change.read_back == 0) return kChanged;
  std::uint8_t after = 0;
  return memory.read(change.address, &after, 1) && ((after ^ change.value) & change.read_back) == 0 ? kChanged
                                                                                                    : kOverwritten;
}

}  // namespace

void wait_for_other_stores() {
#ifdef __x86_64__
  for (int pause = 0; pause < 2; ++pause) __builtin_ia32_pause();
#endif
}

bool is_overwritten(PhysicalMemory& memory, const Change& change) {
  if (change.read_back == 0) return false;
  const Window& window = memory.window(change.address, change.width);
  if (window.length == 0) return true;
  const void* where = window.at(change.address);
  switch (change.width) {
    case 1:
      return differs<std::uint8_t>(where, change);
    case 2:
      return differs<std::uint16_t>(where, change);
    default:
      return differs<std::uint32_t>(where, change);
  }
}

int commit_without_read_back(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change) {
  check(memory, change);
  return commit_mapped(memory, guards, count, change);
}

int guarded_commit(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change) {
  check(memory, change);
  if (memory.access() != Access::kMapped) return commit_bytes(memory, guards, count, change);
  const int result = commit_mapped(memory, guards, count, change);
  if (result != kChanged || change.read_back == 0) return result;
  wait_for_other_stores();
  return is_overwritten(memory, change) ? kOverwritten : kChanged;
}

}  // namespace subflowd
