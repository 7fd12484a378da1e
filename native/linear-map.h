// The linear mappings in the kernel's virtual address space: the kernel image and the direct map. All other addresses
// (vmalloc) need the page tables, which TypeScript walks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace subflowd {

struct LinearPiece {
  std::uint64_t virtual_start;
  std::uint64_t virtual_end;
  std::uint64_t physical_start;

  std::uint64_t physical(std::uint64_t address) const noexcept { return address - virtual_start + physical_start; }
};

class LinearMap {
 public:
  // Whether every virtual address of a piece has a physical address. A piece that ends before it begins is empty.
  static bool valid(const LinearPiece& piece) noexcept {
    if (piece.virtual_end <= piece.virtual_start) return true;
    return piece.virtual_end - piece.virtual_start <= std::numeric_limits<std::uint64_t>::max() - piece.physical_start;
  }

  void assign(std::vector<LinearPiece> pieces) { pieces_ = std::move(pieces); }
  // The piece that contains all of [address, address + length), or null.
  const LinearPiece* find(std::uint64_t address, std::size_t length) const noexcept {
    for (const LinearPiece& piece : pieces_) {
      if (address < piece.virtual_start || address >= piece.virtual_end) continue;
      return length <= piece.virtual_end - address ? &piece : nullptr;
    }
    return nullptr;
  }
  std::optional<std::uint64_t> physical(std::uint64_t address, std::size_t length) const noexcept {
    const LinearPiece* piece = find(address, length);
    if (piece == nullptr) return std::nullopt;
    return piece->physical(address);
  }

 private:
  std::vector<LinearPiece> pieces_;
};

}  // namespace subflowd
