#pragma once
#include <sys/types.h>
#include <utility>

#include <picket/base/clock.h>
#include <picket/model/verdict.h>
#include <picket/watch/event_file.h>

namespace picket::gate {

/// Where answers go: the fanotify group, or a fake.
class Responder {
  public:
    virtual ~Responder() = default;
    /// Once per event descriptor, before it is closed. A failure is counted by the implementation: the kernel knows
    /// the event no more.
    virtual void respond(int event_fd, Decision decision) = 0;
};

/// A process that waits in open() until we answer. Answered exactly once: by answer(), or by its destructor with the
/// decision the failure policy gave it at birth. The answer comes before the descriptor is closed. Movable only.
class HeldOpen {
  public:
    HeldOpen(Responder& responder, watch::EventFile file, Decision on_failure)
        : responder_(&responder), file_(std::move(file)), on_failure_(on_failure) {}
    HeldOpen(HeldOpen&& other) noexcept
        : pid(other.pid), owner(other.owner), is_exec(other.is_exec), deadline(other.deadline),
          responder_(std::exchange(other.responder_, nullptr)), file_(std::move(other.file_)),
          on_failure_(other.on_failure_) {}
    HeldOpen& operator=(HeldOpen&&) = delete;
    HeldOpen(const HeldOpen&) = delete;
    ~HeldOpen() {
        if (responder_ != nullptr)
            answer(on_failure_);
    }

    void answer(Decision decision) {
        if (Responder* const responder = std::exchange(responder_, nullptr); responder != nullptr)
            responder->respond(file_.fd(), decision);
    }
    bool is_answered() const { return responder_ == nullptr; }
    Decision on_failure() const { return on_failure_; }
    int fd() const { return file_.fd(); }
    const watch::EventFile& file() const { return file_; }
    /// The descriptor outlives the event, for what is done after the answer. Only once answered.
    watch::EventFile take_file() { return std::move(file_); }

    pid_t pid = 0;
    uid_t owner = 0; ///< of that process, once it is held
    bool is_exec = false;
    MonotonicTime deadline{};

  private:
    Responder* responder_;
    watch::EventFile file_;
    Decision on_failure_;
};

} // namespace picket::gate
