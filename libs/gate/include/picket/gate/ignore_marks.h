#pragma once

namespace picket::gate {

/// Where the kernel is told that it need not ask about a file any more (FAN_MARK_IGNORED_MASK of fanotify_mark(2)), or
/// a fake. The kernel takes such a mark back by itself as soon as the file is written to through write(2) and its like;
/// what is written through a shared mapping it notices at close only.
class IgnoreMarks {
  public:
    virtual ~IgnoreMarks() = default;
    /// False where the kernel refuses, or has not done it.
    virtual bool ignore(int fd) = 0;
    virtual void ask_again(int fd) = 0;
    virtual void ask_about_everything() = 0;
    /// True where a mark keeps its inode in memory (before 5.19): then their number must be bounded.
    virtual bool pins_memory() const = 0;
};

} // namespace picket::gate
