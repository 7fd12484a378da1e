#include "netlink-binding.h"

#include <uv.h>

#include <memory>
#include <string>

#include "arguments.h"
#include "netlink-socket.h"

namespace subflowd {

namespace {

Napi::Error to_js(Napi::Env env, const std::system_error& error) {
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("code", Napi::String::New(env, uv_err_name(uv_translate_sys_error(error.code().value()))));
  return result;
}

// Converts an error of the system to a JavaScript Error with its code.
template <typename Act>
auto run(const Napi::CallbackInfo& info, Act act) {
  try {
    return act();
  } catch (const std::system_error& error) {
    throw to_js(info.Env(), error);
  }
}

// Calls back while a socket is readable. libuv owns the handle until it has closed it, so this object outlives its
// socket.
struct Watch {
  uv_poll_t handle;
  Napi::FunctionReference callback;
  Watch** owner;  // the owner's pointer to this object, which close() clears
  napi_async_cleanup_hook_handle hook = nullptr;

  static void on_readable(uv_poll_t* handle, int status, int) {
    auto* watch = static_cast<Watch*>(handle->data);
    const Napi::Env env = watch->callback.Env();
    const Napi::HandleScope scope(env);
    try {
      watch->callback.MakeCallback(env.Global(), {});
    } catch (const Napi::Error& error) {
      napi_fatal_exception(env, error.Value());
    }
    // libuv stops polling at an error of the socket, and dropped datagrams are one (ENOBUFS).
    if (status < 0 && uv_is_closing(reinterpret_cast<uv_handle_t*>(handle)) == 0) {
      uv_poll_start(handle, UV_READABLE, on_readable);
    }
  }

  static void on_closed(uv_handle_t* handle) {
    auto* watch = static_cast<Watch*>(handle->data);
    if (watch->hook != nullptr) napi_remove_async_cleanup_hook(watch->hook);
    delete watch;
  }

  static void on_exit(napi_async_cleanup_hook_handle, void* data) {
    auto* watch = static_cast<Watch*>(data);
    if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&watch->handle)) == 0) watch->close();
  }

  void close() {
    *owner = nullptr;
    callback.Reset();
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), on_closed);
  }
};

class Socket : public Napi::ObjectWrap<Socket> {
 public:
  static void Init(Napi::Env env, Napi::Object exports) {
    exports.Set("NetlinkSocket", DefineClass(env, "NetlinkSocket",
                                             {
                                                 InstanceMethod<&Socket::Join>("join"),
                                                 InstanceMethod<&Socket::DropAll>("dropAll"),
                                                 InstanceAccessor<&Socket::Fd>("fd"),
                                                 InstanceMethod<&Socket::Send>("send"),
                                                 InstanceMethod<&Socket::Receive>("receive"),
                                                 InstanceMethod<&Socket::OnReadable>("onReadable"),
                                                 InstanceMethod<&Socket::Close>("close"),
                                             }));
  }

  explicit Socket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Socket>(info) {
    constexpr const char* kWanted = "NetlinkSocket(protocol: int32, namespaceFd: int32 >= 0 | undefined)";
    if (info.Length() != 2) reject_arguments(info.Env(), kWanted);
    const int protocol = to_integer<std::int32_t>(info[0], kWanted);
    const int namespace_fd = info[1].IsUndefined() ? kOwnNamespace : to_integer<std::int32_t>(info[1], kWanted, 0);
    run(info, [&] { socket_ = std::make_unique<NetlinkSocket>(protocol, namespace_fd); });
  }

  ~Socket() override { close(); }

 private:
  NetlinkSocket& open(const Napi::CallbackInfo& info) {
    if (socket_) return *socket_;
    Napi::Error error = Napi::Error::New(info.Env(), "the netlink socket was closed");
    error.Set("code", Napi::String::New(info.Env(), "ECLOSED"));
    throw error;
  }

  void close() {
    // Stop polling before the descriptor is closed.
    if (watch_ != nullptr) watch_->close();
    socket_.reset();
  }

  void Join(const Napi::CallbackInfo& info) {
    constexpr const char* kWanted = "join(group: uint32)";
    if (info.Length() != 1) reject_arguments(info.Env(), kWanted);
    const auto group = to_integer<std::uint32_t>(info[0], kWanted);
    run(info, [&] { open(info).join(group); });
  }

  void DropAll(const Napi::CallbackInfo& info) {
    run(info, [&] { open(info).drop_all(); });
  }

  Napi::Value Fd(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), open(info).fd()); }

  void Send(const Napi::CallbackInfo& info) {
    const auto bytes = to_bytes(info[0], "send(bytes: Uint8Array)");
    run(info, [&] { open(info).send(bytes.begin(), bytes.count); });
  }

  Napi::Value Receive(const Napi::CallbackInfo& info) {
    const auto out = to_bytes(info[0], "receive(out: Uint8Array)");
    const auto length = run(info, [&] { return open(info).receive(out.begin(), out.count); });
    if (!length) return info.Env().Undefined();
    return Napi::Number::New(info.Env(), static_cast<double>(*length));
  }

  void OnReadable(const Napi::CallbackInfo& info) {
    if (info.Length() != 1 || !info[0].IsFunction() || watch_ != nullptr) {
      reject_arguments(info.Env(), "onReadable(callback: () => void), once");
    }
    uv_loop_t* loop = nullptr;
    const int fd = open(info).fd();
    if (napi_get_uv_event_loop(info.Env(), &loop) != napi_ok) throw Napi::Error::New(info.Env(), "no event loop");
    auto watch = std::make_unique<Watch>();
    watch->handle.data = watch.get();
    if (const int error = uv_poll_init(loop, &watch->handle, fd); error < 0) {
      throw to_js(info.Env(), std::system_error(-error, std::system_category(), "poll"));
    }
    watch_ = watch.release();
    watch_->owner = &watch_;
    watch_->callback = Napi::Persistent(info[0].As<Napi::Function>());
    // This watch alone must not keep the process running.
    uv_unref(reinterpret_cast<uv_handle_t*>(&watch_->handle));
    napi_add_async_cleanup_hook(info.Env(), Watch::on_exit, watch_, &watch_->hook);
    uv_poll_start(&watch_->handle, UV_READABLE, Watch::on_readable);
  }

  void Close(const Napi::CallbackInfo&) { close(); }

  std::unique_ptr<NetlinkSocket> socket_;
  Watch* watch_ = nullptr;
};

}  // namespace

void init_netlink(Napi::Env env, Napi::Object exports) { Socket::Init(env, exports); }

}  // namespace subflowd
