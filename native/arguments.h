// Checks arguments from JavaScript. Each function throws a TypeError with the text `wanted` for an invalid argument.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace subflowd {

[[noreturn]] inline void reject_arguments(Napi::Env env, const char* wanted) {
  throw Napi::TypeError::New(env, wanted);
}

inline std::uint64_t to_u64(const Napi::Value& value, const char* wanted) {
  if (!value.IsBigInt()) reject_arguments(value.Env(), wanted);
  bool lossless = false;
  const std::uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) reject_arguments(value.Env(), wanted);
  return number;
}

// Accepts only integers in the range of the type. Node-API itself would turn NaN and 2^32 into 0.
template <typename Integer>
Integer to_integer(const Napi::Value& value, const char* wanted, Integer least = std::numeric_limits<Integer>::min()) {
  static_assert(sizeof(Integer) <= 4, "larger integers do not fit into a double");
  if (!value.IsNumber()) reject_arguments(value.Env(), wanted);
  const double number = value.As<Napi::Number>().DoubleValue();
  const bool fits = std::trunc(number) == number && number >= static_cast<double>(least) &&
                    number <= static_cast<double>(std::numeric_limits<Integer>::max());
  if (!fits) reject_arguments(value.Env(), wanted);
  return static_cast<Integer>(number);
}

// The elements of a typed array. Valid until the native call returns.
template <typename Element>
struct View {
  Element* elements;
  std::size_t count;

  Element* begin() const noexcept { return elements; }
  Element* end() const noexcept { return elements + count; }
  Element& operator[](std::size_t index) const noexcept { return elements[index]; }
};

template <typename Element>
View<Element> to_view(const Napi::Value& value, napi_typedarray_type wanted_type, const char* wanted) {
  napi_typedarray_type type;
  std::size_t count = 0;
  void* elements = nullptr;
  // One Node-API call instead of the five that Napi::TypedArray makes.
  const napi_status status = napi_get_typedarray_info(value.Env(), value, &type, &count, &elements, nullptr, nullptr);
  if (status != napi_ok || type != wanted_type) reject_arguments(value.Env(), wanted);
  return {static_cast<Element*>(elements), count};
}

// Whether two views overlap in memory.
template <typename One, typename Other>
bool overlap(const View<One>& one, const View<Other>& other) noexcept {
  const auto start = [](const auto& view) { return reinterpret_cast<std::uintptr_t>(view.begin()); };
  const auto end = [](const auto& view) { return reinterpret_cast<std::uintptr_t>(view.end()); };
  return start(one) < end(other) && start(other) < end(one);
}

inline View<std::uint8_t> to_bytes(const Napi::Value& value, const char* wanted) {
  return to_view<std::uint8_t>(value, napi_uint8_array, wanted);
}

// Records in an array: with 64-bit members in a BigUint64Array, with 32-bit members in an Int32Array.
template <typename Record>
View<Record> to_records(const Napi::Value& value, const char* wanted) {
  constexpr std::size_t kElement = alignof(Record);
  static_assert(kElement == 8 || kElement == 4);
  constexpr auto kType = kElement == 8 ? napi_biguint64_array : napi_int32_array;
  const auto elements = to_view<Record>(value, kType, wanted);
  if (elements.count * kElement % sizeof(Record) != 0) reject_arguments(value.Env(), wanted);
  return {elements.begin(), elements.count * kElement / sizeof(Record)};
}

}  // namespace subflowd
