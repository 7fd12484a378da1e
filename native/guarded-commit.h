// The only code of this program that changes kernel memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "physical-memory.h"

namespace subflowd {

// An aligned 8-byte word, and the value that its masked bits must still have.
struct Guard {
  std::uint64_t address;  // physical, a multiple of 8
  std::uint64_t mask;
  std::uint64_t expected;  // already masked
};

// Bits to change in one naturally aligned unit of 1, 2 or 4 bytes.
struct Change {
  std::uint64_t address;  // physical
  std::uint64_t width;    // bytes
  std::uint64_t mask;
  std::uint64_t value;      // already masked
  std::uint64_t read_back;  // the bits of the mask that nobody else writes
};

constexpr int kChanged = -1;
constexpr int kUnchanged = -2;
constexpr int kOverwritten = -3;

// Compares every guard in the order of the trail and, only if all match, changes the masked bits and no others.
//
// Mapped access uses one compare-and-swap on the unit, so it never undoes the kernel's own stores to neighbouring bits.
// The kernel may undo ours with a plain read-modify-write of the same byte. The read-back shows this, because it waits
// until a store that was already under way has arrived. A store that comes even later, from a processor that was
// interrupted between its read and its write, shows at the next observation of the server.
//
// Byte-wise access uses pread, a change, pwrite of one byte, and pread. The caller must know that the kernel does not
// write the other bits of this byte.
//
// Returns one of:
// - the index of the first guard that does not match (>= 0): nothing was written
// - kChanged
// - kUnchanged: memory already had the value
// - kOverwritten: it was written, but the bits to read back differ by now
// Throws MemoryError:
// - EGUARD: a guard cannot be read
// - ETARGET: the change is malformed, not in System RAM, or wider than a byte without mapping
// - EWRITE: the write failed
// - EBUSY: the unit changed during every one of a limited number of attempts
int guarded_commit(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change);

// The same for mapped memory, but without the read-back: the caller waits once for many changes, and then calls
// is_overwritten for each.
int commit_without_read_back(PhysicalMemory& memory, const Guard* guards, std::size_t count, const Change& change);

// Waits about 100 ns. Another processor may have read the unit before our change, and may be about to write it back. In
// this time it gets the cache line and its store completes, so the read-back finds it.
void wait_for_other_stores();

// Whether the bits to read back of a change that was made differ from their value, or cannot be read any more.
bool is_overwritten(PhysicalMemory& memory, const Change& change);

}  // namespace subflowd
