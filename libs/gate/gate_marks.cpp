#include <picket/gate/gate.h>

namespace picket::gate {
namespace {

constexpr std::size_t kMaximumCanaries = 4'096;

} // namespace

/// Only what none but root can change, and only where the kernel tells of every writer: on an overlay it does not.
bool Gate::may_be_ignored(int fd, const watch::FileFacts& facts) {
    return facts.root_only_writable && !facts.deleted &&
           ports_.inspector.kind(fd, facts) == watch::FilesystemKind::local &&
           !canaries_.contains({facts.key.device, facts.key.inode});
}

/// `facts`: those of the verdict. Nobody comes to write between the look at them and the mark, so that no open that the
/// mark lets pass finds anything else than what was judged.
void Gate::stop_asking(int fd, const watch::FileFacts& facts) {
    if (!may_be_ignored(fd, facts))
        return;
    if (ports_.marks.pins_memory() && ignored_ >= limits_.pinned_files)
        ask_about_everything();
    if (!ports_.inspector.hold_off_writers(fd))
        return;
    watch::FileFacts now;
    const bool same = ports_.inspector.facts(fd, now) && now.key == facts.key && now.root_only_writable;
    const bool ignored = same && ports_.marks.ignore(fd);
    ports_.inspector.let_writers_in(fd);
    if (!same)
        return ask_again(fd); // by an earlier mark, perhaps
    if (ignored) {
        ++ignored_;
        ++statistics_.ignore_marks;
    }
}

void Gate::ask_again(int fd) {
    if (ignored_ == 0)
        return;
    ports_.marks.ask_again(fd);
    ++statistics_.ignore_marks_dropped;
}

void Gate::ask_about_everything() {
    if (std::exchange(ignored_, 0) > 0)
        ports_.marks.ask_about_everything();
}

void Gate::forget_verdicts() {
    restored_ = {};
    cache_.flush();
    ask_about_everything();
}

bool Gate::is_canary_seen(std::uint64_t device, std::uint64_t inode, MonotonicTime since) {
    const bool seen = recent_opens_.seen_since(device, inode, since);
    if (canaries_.size() >= kMaximumCanaries)
        canaries_.clear();
    // Ignored since before it was chosen: then the kernel is right not to ask, until now.
    if (canaries_.emplace(device, inode).second && !seen)
        ask_about_everything();
    return seen;
}

} // namespace picket::gate
