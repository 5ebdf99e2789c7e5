#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <sys/eventfd.h>
#include <unistd.h>

#include <picket/base/check.h>
#include <picket/ipc/rpc.h>

#include "rpc_message.h"

/// What goes out to a client, and how other threads add to it. Internal to the server.
namespace picket::ipc {

inline constexpr std::size_t kMaximumQueueBytes = 4U << 20; ///< outgoing notifications, per client

/// Wakes the loop from any thread, and says which clients have something to send. Outlives the server in the hands of
/// handlers that still hold a peer.
class Wakeup {
  public:
    Wakeup() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { PICKET_CHECK(fd_); }
    void wake() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof(one)); // full = it will wake anyway
    }
    void mark(std::uint64_t client) {
        {
            std::lock_guard lock(mutex_);
            marked_.push_back(client);
        }
        wake();
    }
    std::vector<std::uint64_t> take() {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(fd_.get(), &count, sizeof(count));
        std::lock_guard lock(mutex_);
        return std::exchange(marked_, {});
    }
    int fd() const { return fd_.get(); }

  private:
    UniqueFd fd_;
    std::mutex mutex_;
    std::vector<std::uint64_t> marked_;
};

/// The outgoing half of a client; any thread may add to it, only the loop sends.
class Outbox final : public RpcPeer {
  public:
    Outbox(std::uint64_t tag, Peer credentials, std::size_t capacity, std::size_t largest,
           std::shared_ptr<Wakeup> wakeup)
        : tag_(tag), credentials_(credentials), capacity_(capacity), largest_(largest), wakeup_(std::move(wakeup)) {}

    const Peer& credentials() const override { return credentials_; }
    bool notify(const std::string& method, const data::Json& parameters) override {
        std::string text = notification_text(method, parameters);
        {
            std::lock_guard lock(mutex_);
            if (closed_ || text.size() > largest_)
                return false;
            if (queue_.size() >= capacity_ || bytes_ + text.size() > kMaximumQueueBytes) {
                ++lost_;
                return false;
            }
            bytes_ += text.size();
            queue_.push_back(std::move(text));
        }
        wakeup_->mark(tag_);
        return true;
    }
    /// Answers are never refused: while one waits, its client is not read, so it cannot ask for more.
    void answer(std::vector<std::string> messages, bool is_last = false) {
        {
            std::lock_guard lock(mutex_);
            leaves_ = leaves_ || is_last;
            busy_ = false;
            if (closed_)
                return;
            for (std::string& text : messages) {
                bytes_ += text.size();
                queue_.push_back(std::move(text));
            }
        }
        wakeup_->mark(tag_);
    }
    void set_busy(bool busy) {
        std::lock_guard lock(mutex_);
        busy_ = busy;
    }
    /// A handler still works on its last request.
    bool busy() const {
        std::lock_guard lock(mutex_);
        return busy_;
    }
    /// The client's last answer is in the queue, or was.
    bool leaves() const {
        std::lock_guard lock(mutex_);
        return leaves_;
    }
    std::size_t largest() const { return largest_; }
    /// Sends what the socket takes. An Error where the client is gone.
    Result<void> flush(int fd) {
        std::lock_guard lock(mutex_);
        while (!queue_.empty()) {
            const auto sent = send_message(fd, queue_.front());
            if (!sent)
                return sent.error().errno_value() == EAGAIN ? Result<void>() : sent;
            bytes_ -= queue_.front().size();
            queue_.pop_front();
            lost_ = 0;
        }
        return {};
    }
    bool empty() const {
        std::lock_guard lock(mutex_);
        return queue_.empty();
    }
    bool hopeless() const {
        std::lock_guard lock(mutex_);
        return lost_ > capacity_;
    }
    void close() {
        std::lock_guard lock(mutex_);
        closed_ = true;
        queue_.clear();
    }

  private:
    const std::uint64_t tag_;
    const Peer credentials_;
    const std::size_t capacity_;
    const std::size_t largest_;
    const std::shared_ptr<Wakeup> wakeup_;
    mutable std::mutex mutex_;
    std::deque<std::string> queue_;
    std::size_t bytes_ = 0;
    std::size_t lost_ = 0; ///< notifications in a row that found the queue full
    bool busy_ = false;
    bool leaves_ = false;
    bool closed_ = false;
};

/// What a deferred request is answered through; the last copy to go answers for one that was forgotten.
class Reply {
  public:
    /// `left`: the request may still wait in the connection where it fails, so the client goes then.
    Reply(std::weak_ptr<Outbox> outbox, data::Json id, bool left)
        : outbox_(std::move(outbox)), id_(std::move(id)), left_(left) {}
    ~Reply() {
        if (armed_)
            send({nullptr, RpcError{"failed", "the request was given up", ""}});
    }
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;

    void send(const RpcResult& result) {
        if (!armed_.exchange(false))
            return;
        if (const auto outbox = outbox_.lock())
            outbox->answer(id_.is_null() ? std::vector<std::string>() : answer_messages(id_, result, outbox->largest()),
                           left_ && result.error && result.error->name != "usage");
    }

  private:
    const std::weak_ptr<Outbox> outbox_;
    const data::Json id_;
    const bool left_;
    std::atomic<bool> armed_{true};
};

} // namespace picket::ipc
