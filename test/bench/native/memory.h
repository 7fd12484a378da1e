// The fastest ways to read physical memory: to map all of it at once, or to call pread for each item. Ranges are not
// checked, because the benchmark only uses addresses that subflowd has found before.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bench {

class MappedMemory {
 public:
  MappedMemory(const std::string& path, std::uint64_t end) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    void* mapped = fd < 0 ? MAP_FAILED : ::mmap(nullptr, end, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) throw std::runtime_error("cannot map " + path + ": " + std::strerror(errno));
    base_ = static_cast<std::byte*>(mapped);
    ::close(fd);
  }
  std::byte* at(std::uint64_t address) const noexcept { return base_ + address; }
  // Returns where the bytes at the address can be read until the next call.
  const std::byte* view(std::uint64_t address, std::size_t) const noexcept { return at(address); }

 private:
  std::byte* base_;
};

class ByteMemory {
 public:
  explicit ByteMemory(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0) throw std::runtime_error("cannot open " + path + ": " + std::strerror(errno));
  }
  const std::byte* view(std::uint64_t address, std::size_t length) {
    if (length > sizeof scratch_ || ::pread(fd_, scratch_, length, static_cast<off_t>(address)) != static_cast<ssize_t>(length)) {
      throw std::runtime_error("cannot read physical memory");
    }
    ++reads_;
    return scratch_;
  }
  void write_byte(std::uint64_t address, std::uint8_t value) {
    if (::pwrite(fd_, &value, 1, static_cast<off_t>(address)) != 1) throw std::runtime_error("cannot write");
  }
  std::uint64_t reads() const noexcept { return reads_; }

 private:
  int fd_;
  std::uint64_t reads_ = 0;
  std::byte scratch_[1 << 20];
};

template <typename Unit>
Unit load(const std::byte* from) noexcept {
  Unit value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace bench
