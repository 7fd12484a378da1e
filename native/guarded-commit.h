// The one act of this program that changes kernel memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "physical-memory.h"

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
  std::uint64_t width;    // bytes
  std::uint64_t mask;
  std::uint64_t value;  // already masked
  std::uint64_t kept;   // those of the mask that nobody else changes: they are read back
};

constexpr int kChanged = -1;
constexpr int kHeldAlready = -2;
constexpr int kUndone = -3;

// Re-reads every guard in the order of the trail and, only if all hold, changes the masked bits and no others.
//
// Mapped: one compare-and-swap on the unit. The kernel's own stores to neighbouring bits are never undone; ours may
// be lost to a kernel's plain read-modify-write of the same byte, which the read-back shows: it comes after the time
// that a store takes which was on its way. One later still, of a processor that was interrupted half-way, shows when
// the server is observed again.
// Bytes: pread, change, pwrite of one byte, pread. The caller answers for the byte's other bits being quiet.
//
// Returns the index of the first guard that does not hold (>= 0; nothing was written), kChanged, kHeldAlready, or
// kUndone (it was written, and the kept bits are something else by now).
// Throws MemoryError: EGUARD (a guard cannot be read), ETARGET (the change is malformed, not RAM, or wider than a
// byte without mapping), EWRITE, EBUSY (the unit changed under every one of a bounded number of attempts).
int guarded_commit(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change);

}  // namespace subflowd
