// The parts of the kernel's virtual address space that lie in physical memory in one piece: the kernel image
// and the direct map. Everything else (vmalloc) needs the page tables, which are walked in TypeScript.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace subflowd {

struct LinearPiece {
  std::uint64_t virtual_start;
  std::uint64_t virtual_end;
  std::uint64_t physical_start;
};

class LinearMap {
 public:
  void assign(std::vector<LinearPiece> pieces) { pieces_ = std::move(pieces); }
  // The physical address of [address, address + length) if it lies wholly inside one piece.
  std::optional<std::uint64_t> physical(std::uint64_t address, std::size_t length) const noexcept {
    for (const LinearPiece& piece : pieces_) {
      if (address < piece.virtual_start || address >= piece.virtual_end) continue;
      if (length > piece.virtual_end - address) return std::nullopt;
      return address - piece.virtual_start + piece.physical_start;
    }
    return std::nullopt;
  }

 private:
  std::vector<LinearPiece> pieces_;
};

}  // namespace subflowd
