// The parts of the kernel's virtual address space that lie in physical memory in one piece: the kernel image
// and the direct map. Everything else (vmalloc) needs the page tables, which are walked in TypeScript.
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
  // Whether every address of a piece has a physical one. A piece that ends before it begins holds none.
  static bool valid(const LinearPiece& piece) noexcept {
    if (piece.virtual_end <= piece.virtual_start) return true;
    return piece.virtual_end - piece.virtual_start <= std::numeric_limits<std::uint64_t>::max() - piece.physical_start;
  }

  void assign(std::vector<LinearPiece> pieces) { pieces_ = std::move(pieces); }
  // The piece that [address, address + length) lies wholly inside, or null.
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
