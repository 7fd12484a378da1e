// The one act of this program that changes kernel memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "physical_memory.h"

namespace subflowd {

// A guard as it lies in the trail: an aligned 8-byte word and what its masked bits must still hold.
struct Guard {
  std::uint64_t address;  // physical, a multiple of 8
  std::uint64_t mask;
  std::uint64_t expected;  // already masked
};

// Bits of the smallest unit that holds them: 1, 2 or 4 bytes at a multiple of its size.
struct Change {
  std::uint64_t address;  // physical
  std::uint32_t width;    // bytes
  std::uint32_t mask;
  std::uint32_t value;  // already masked
};

constexpr int kChanged = -1;
constexpr int kHeldAlready = -2;

// Re-reads every guard in the order of the trail and, only if all hold, changes the masked bits and no others.
//
// Mapped: one compare-and-swap on the unit. The kernel's own stores to neighbouring bits are never undone; ours may
// be lost to a kernel's plain read-modify-write of the same byte, which the read-back after the commit shows.
// Bytes: pread, change, pwrite of one byte. The caller answers for the byte's other bits being quiet.
//
// Returns the index of the first guard that does not hold (>= 0; nothing was written), kChanged or kHeldAlready.
// Throws MemoryError: EGUARD (a guard cannot be read), ETARGET (the change is malformed, not RAM, or wider than a
// byte without mapping), EWRITE, EBUSY (the unit changed under every one of a bounded number of attempts).
int guarded_commit(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change);

}  // namespace subflowd
