#include "linear_map.h"

namespace subflowd {

std::optional<std::uint64_t> LinearMap::physical(std::uint64_t address, std::size_t length) const noexcept {
  for (const LinearPiece& piece : pieces_) {
    if (address < piece.virtual_start || address >= piece.virtual_end) continue;
    if (length > piece.virtual_end - address) return std::nullopt;
    return address - piece.virtual_start + piece.physical_start;
  }
  return std::nullopt;
}

}  // namespace subflowd
