// The JavaScript class PhysicalMemory. See src/native/addon.ts for its documentation.
#include <napi.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "commit-batch.h"
#include "guarded-commit.h"
#include "ignore-signal.h"
#include "linear-map.h"
#include "netlink-binding.h"
#include "peer-credentials.h"
#include "physical-memory.h"
#include "rows.h"
#include "send-datagram.h"

namespace {

using subflowd::Access;
using subflowd::Change;
using subflowd::Guard;
using subflowd::LinearMap;
using subflowd::LinearPiece;
using subflowd::MemoryError;
using subflowd::overlap;
using subflowd::PhysicalMemory;
using subflowd::Range;
using subflowd::reject_arguments;
using subflowd::RequestedAccess;
using subflowd::Rows;
using subflowd::to_bytes;
using subflowd::to_integer;
using subflowd::to_records;
using subflowd::to_u64;
using subflowd::Word;

Napi::Error to_js(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

// The number of arguments for one table.
constexpr std::size_t kTableArguments = 4;

class Memory : public Napi::ObjectWrap<Memory> {
 public:
  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("PhysicalMemory", DefineClass(env, "PhysicalMemory",
                                              {
                                                  InstanceAccessor<&Memory::GetAccess>("access"),
                                                  InstanceAccessor<&Memory::GetMapErrno>("mapErrno"),
                                                  InstanceAccessor<&Memory::GetReads>("reads"),
                                                  InstanceMethod<&Memory::SetLinearMap>("setLinearMap"),
                                                  InstanceMethod<&Memory::ToPhysical>("toPhysical"),
                                                  InstanceMethod<&Memory::ReadPhysical>("readPhysical"),
                                                  InstanceMethod<&Memory::Gather>("gather"),
                                                  InstanceMethod<&Memory::IsUnchanged>("isUnchanged"),
                                                  InstanceMethod<&Memory::WalkList>("walkList"),
                                                  InstanceMethod<&Memory::Commit>("commit"),
                                                  InstanceMethod<&Memory::CommitAll>("commitAll"),
                                                  InstanceMethod<&Memory::Close>("close"),
                                              }));
  }

  explicit Memory(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Memory>(info) {
    constexpr const char* kWanted =
        "PhysicalMemory(path: string, ranges: BigUint64Array of [start, end) pairs, access: 'auto' | 'mapped' | "
        "'bytes', writable: boolean)";
    if (info.Length() != 4 || !info[0].IsString() || !info[2].IsString() || !info[3].IsBoolean()) {
      reject_arguments(info.Env(), kWanted);
    }
    const auto ranges = to_records<Range>(info[1], kWanted);
    const std::string path = info[0].As<Napi::String>();
    // The system would end the path at the zero.
    if (path.find('\0') != std::string::npos) reject_arguments(info.Env(), kWanted);
    const std::string access = info[2].As<Napi::String>();
    RequestedAccess requested = RequestedAccess::kAuto;
    if (access == "mapped") {
      requested = RequestedAccess::kMapped;
    } else if (access == "bytes") {
      requested = RequestedAccess::kBytes;
    } else if (access != "auto") {
      reject_arguments(info.Env(), kWanted);
    }
    try {
      memory_ = std::make_unique<PhysicalMemory>(path, std::vector<Range>(ranges.begin(), ranges.end()), requested,
                                                 info[3].As<Napi::Boolean>().Value());
    } catch (const MemoryError& error) {
      throw to_js(info.Env(), error.code(), error.what());
    }
    info.This().As<Napi::Object>().TypeTag(&kTag);
  }

 private:
  // Marks the objects of this class: an object of another class has another C++ object.
  static constexpr napi_type_tag kTag = {0x6d3f0a51c2e84b97, 0x94b1d7f26a0e5c38};

  // Checks `this`, because V8 calls accessors with any object. For methods, V8 itself checks it.
  PhysicalMemory& open_for_accessor(const Napi::CallbackInfo& info) {
    if (!info.This().As<Napi::Object>().CheckTypeTag(&kTag)) {
      throw Napi::TypeError::New(info.Env(), "this is not a PhysicalMemory");
    }
    return open(info);
  }

  PhysicalMemory& open(const Napi::CallbackInfo& info) {
    if (!memory_) throw to_js(info.Env(), "ECLOSED", "physical memory was closed");
    return *memory_;
  }

  Napi::Value GetAccess(const Napi::CallbackInfo& info) {
    return Napi::String::New(info.Env(), open_for_accessor(info).access() == Access::kMapped ? "mapped" : "bytes");
  }

  Napi::Value GetMapErrno(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), open_for_accessor(info).map_errno());
  }

  Napi::Value GetReads(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(open_for_accessor(info).reads()));
  }

  void SetLinearMap(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted = "setLinearMap(pieces: BigUint64Array of [virtualStart, virtualEnd, physicalStart])";
    if (info.Length() != 1) reject_arguments(info.Env(), kWanted);
    const auto pieces = to_records<LinearPiece>(info[0], kWanted);
    if (!std::all_of(pieces.begin(), pieces.end(), LinearMap::valid)) reject_arguments(info.Env(), kWanted);
    linear_.assign({pieces.begin(), pieces.end()});
  }

  Napi::Value ToPhysical(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted = "toPhysical(address: bigint)";
    if (info.Length() != 1) reject_arguments(info.Env(), kWanted);
    const auto physical = linear_.physical(to_u64(info[0], kWanted), 1);
    if (!physical) return info.Env().Undefined();
    return Napi::BigInt::New(info.Env(), *physical);
  }

  Napi::Value ReadPhysical(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted = "readPhysical(address: bigint, out: Uint8Array)";
    if (info.Length() != 2) reject_arguments(info.Env(), kWanted);
    const auto out = to_bytes(info[1], kWanted);
    return Napi::Boolean::New(info.Env(), open(info).read(to_u64(info[0], kWanted), out.begin(), out.count));
  }

  // Takes one table from four arguments: addresses, words, rows, status.
  Rows to_rows(const Napi::CallbackInfo& info, std::size_t at, const char* wanted) {
    const auto addresses = to_records<std::uint64_t>(info[at], wanted);
    const auto words = to_records<Word>(info[at + 1], wanted);
    const auto rows = to_records<std::uint64_t>(info[at + 2], wanted);
    const auto status = to_bytes(info[at + 3], wanted);
    // Writing must not change what is read at the same time, because that has already been checked.
    const bool is_apart = !overlap(rows, addresses) && !overlap(rows, words) && !overlap(rows, status) &&
                          !overlap(status, addresses) && !overlap(status, words);
    const bool fits = is_apart && Rows::valid(words) && status.count >= addresses.count &&
                      rows.count / Rows::row_words(words) >= addresses.count;
    if (!fits) reject_arguments(info.Env(), wanted);
    return {open(info), linear_, addresses, words, rows, status};
  }

  Napi::Value Gather(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted =
        "gather(for each table, addresses: BigUint64Array, words: BigUint64Array of [offset, mask], "
        "rows: BigUint64Array of addresses x row, status: Uint8Array of addresses)";
    if (info.Length() % kTableArguments != 0) reject_arguments(info.Env(), kWanted);
    std::size_t changed_rows = 0;
    for (std::size_t at = 0; at < info.Length(); at += kTableArguments) {
      changed_rows += to_rows(info, at, kWanted).read();
    }
    return Napi::Number::New(info.Env(), static_cast<double>(changed_rows));
  }

  Napi::Value IsUnchanged(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted = "isUnchanged(the arguments of gather)";
    if (info.Length() % kTableArguments != 0) reject_arguments(info.Env(), kWanted);
    bool is_unchanged = true;
    for (std::size_t at = 0; is_unchanged && at < info.Length(); at += kTableArguments) {
      is_unchanged = to_rows(info, at, kWanted).is_unchanged();
    }
    return Napi::Boolean::New(info.Env(), is_unchanged);
  }

  Napi::Value WalkList(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted =
        "walkList(head: bigint, nextOffset: int32, offset: int32, length: uint32, out: Uint8Array of steps x length, "
        "visited: BigUint64Array of steps)";
    if (info.Length() != 6) reject_arguments(info.Env(), kWanted);
    const std::uint64_t head = to_u64(info[0], kWanted);
    const std::int64_t next_offset = to_integer<std::int32_t>(info[1], kWanted);
    const std::int64_t offset = to_integer<std::int32_t>(info[2], kWanted);
    const std::size_t length = to_integer<std::uint32_t>(info[3], kWanted);
    const auto out = to_bytes(info[4], kWanted);
    const auto visited = to_records<std::uint64_t>(info[5], kWanted);
    const std::size_t steps = visited.count;
    if (length == 0 || out.count / length < steps) reject_arguments(info.Env(), kWanted);
    PhysicalMemory& memory = open(info);
    std::uint64_t node = head;
    std::size_t taken = 0;
    const char* end = "limit";
    while (taken < steps) {
      std::uint64_t next = 0;
      if (!read_virtual(memory, node + static_cast<std::uint64_t>(next_offset), &next, sizeof next)) {
        end = "unreadable";
        break;
      }
      if (next == head) {
        end = "closed";
        break;
      }
      if (!read_virtual(memory, next + static_cast<std::uint64_t>(offset), out.begin() + taken * length, length)) {
        end = "unreadable";
        break;
      }
      visited[taken++] = next;
      node = next;
    }
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("count", Napi::Number::New(info.Env(), static_cast<double>(taken)));
    result.Set("end", Napi::String::New(info.Env(), end));
    return result;
  }

  Napi::Value Commit(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted =
        "commit(guards: BigUint64Array that has a structure's address, the number of guards and [address, mask, "
        "expected] of each, at: uint32, the index of that address, "
        "changes: BigUint64Array of [offset, width, mask, value, readBack])";
    constexpr std::size_t kHeader = 2;
    constexpr std::size_t kGuardWords = sizeof(Guard) / sizeof(std::uint64_t);
    if (info.Length() != 3) reject_arguments(info.Env(), kWanted);
    const auto words = to_records<std::uint64_t>(info[0], kWanted);
    const std::size_t at = to_integer<std::uint32_t>(info[1], kWanted);
    const auto changes = to_records<Change>(info[2], kWanted);
    if (words.count < kHeader || at > words.count - kHeader) reject_arguments(info.Env(), kWanted);
    const std::uint64_t target = words[at];
    const std::uint64_t count = words[at + 1];
    if (count > (words.count - kHeader - at) / kGuardWords) reject_arguments(info.Env(), kWanted);
    const auto* guards = reinterpret_cast<const Guard*>(words.begin() + at + kHeader);
    try {
      PhysicalMemory& memory = open(info);
      int result = subflowd::kUnchanged;
      for (Change change : changes) {
        change.address += target;
        const int one = subflowd::guarded_commit(memory, guards, count, change);
        if (one >= 0 || one == subflowd::kOverwritten) return Napi::Number::New(info.Env(), one);
        result = std::max(result, one);
      }
      return Napi::Number::New(info.Env(), result);
    } catch (const MemoryError& error) {
      throw to_js(info.Env(), error.code(), error.what());
    }
  }

  void CommitAll(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted =
        "commitAll(guards: BigUint64Array as for commit, changes: BigUint64Array as for commit, commits: Int32Array of "
        "[index of the guards, first change, number of changes, commit that must be made first or -1], results: "
        "Int32Array of commits)";
    if (info.Length() != 4) reject_arguments(info.Env(), kWanted);
    const auto guards = to_records<std::uint64_t>(info[0], kWanted);
    const auto changes = to_records<Change>(info[1], kWanted);
    const auto commits = to_records<subflowd::BatchedCommit>(info[2], kWanted);
    const auto results = to_records<std::int32_t>(info[3], kWanted);
    subflowd::CommitBatch batch(open(info), guards, changes, commits, results);
    // Writing results must not change what has been checked.
    const bool is_apart = !overlap(results, guards) && !overlap(results, changes) && !overlap(results, commits);
    if (!is_apart || !batch.is_valid()) reject_arguments(info.Env(), kWanted);
    batch.run();
  }

  void Close(const Napi::CallbackInfo&) { memory_.reset(); }

  bool read_virtual(PhysicalMemory& memory, std::uint64_t address, void* out, std::size_t length) {
    const auto physical = linear_.physical(address, length);
    return physical && memory.read(*physical, out, length);
  }

  std::unique_ptr<PhysicalMemory> memory_;
  LinearMap linear_;
};

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Memory::Init(env, exports);
  subflowd::init_netlink(env, exports);
  subflowd::init_peer_credentials(env, exports);
  subflowd::init_ignore_signal(env, exports);
  subflowd::init_send_datagram(env, exports);
  return exports;
}

NODE_API_MODULE(subflowd, Init)

}  // namespace
