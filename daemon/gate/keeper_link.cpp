#include "keeper_link.h"

#include <algorithm>
#include <cerrno>

#include <picket/ipc/record.h>

namespace picket::daemon {
namespace {

constexpr std::size_t kMessagesAtOnce = 64; ///< then others have their turn
constexpr std::size_t kNumbersAtOnce = 256;
constexpr Milliseconds kLookedAway{1'000};

} // namespace

bool KeeperLink::greet(const std::string& content, std::vector<UniqueFd>&& descriptors) {
    const auto hello = ipc::record_of<watch::KeeperHello>(content);
    if (!hello || hello->error != 0 || descriptors.size() != 1)
        return false;
    group_.emplace(std::move(descriptors.front()));
    process_ = hello->pid;
    return true;
}

bool KeeperLink::take(std::vector<Event>& events) {
    for (std::size_t i = 0; i < kMessagesAtOnce; ++i) {
        auto message = ipc::receive_message(events_.get());
        if (!message)
            return message.error().errno_value() == EAGAIN;
        if (!group_) {
            if (!greet(message->content, std::move(message->descriptors)))
                return false;
            continue;
        }
        const auto kept = ipc::record_of<watch::KeptEvent>(message->content);
        if (!kept)
            return false;
        std::vector<UniqueFd>& files = message->descriptors;
        const std::size_t wanted = kept->kind == watch::EventKind::overflow ? 0U : kept->put_away != 0 ? 2U : 1U;
        if (files.size() != wanted) { // no descriptor was free here: its openers are not to wait for that
            if (kept->number >= 0)
                answer(kept->number, Decision::allow);
            events.push_back({{watch::EventKind::overflow, {}, 0}, -1});
            continue;
        }
        watch::EventFile file;
        if (wanted == 2)
            file = watch::EventFile(std::move(files[0]), std::move(files[1]));
        else if (wanted == 1)
            file = watch::EventFile(std::move(files[0]));
        events.push_back({{kept->kind, std::move(file), kept->pid}, kept->number});
    }
    return true;
}

void KeeperLink::answer(std::int32_t number, Decision decision) {
    if (group_)
        (void)group_->respond(number, decision);
    answered_.push_back(number);
}

void KeeperLink::flush() {
    while (!answered_.empty()) {
        const std::size_t count = std::min(answered_.size(), kNumbersAtOnce);
        const std::string_view content(reinterpret_cast<const char*>(answered_.data()),
                                       count * sizeof answered_.front());
        if (!ipc::send_message(events_.get(), content))
            return; // it does not listen now
        answered_.erase(answered_.begin(), answered_.begin() + static_cast<std::ptrdiff_t>(count));
    }
}

Milliseconds KeeperLink::hangs_for(MonotonicTime now) {
    const std::int64_t state = *state_;
    if (state != seen_state_ || now - looked_ > kLookedAway)
        seen_since_ = now;
    seen_state_ = state;
    looked_ = now;
    return state == 0 ? Milliseconds(0) : std::chrono::duration_cast<Milliseconds>(now - seen_since_);
}

void KeeperLink::drop_marks() {
    if (group_)
        for (const auto scope : {watch::MarkScope::filesystem, watch::MarkScope::mount})
            (void)group_->flush(scope);
}

} // namespace picket::daemon
