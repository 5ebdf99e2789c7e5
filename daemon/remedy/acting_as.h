#pragma once
#include <sys/types.h>

#include <picket/base/result.h>

namespace picket::remedy {

/// While it lives, this thread reaches files with the rights of that user and group alone: the kernel takes the file
/// capabilities away with the file-system uid. Supplementary groups are given up for good. An ordinary user can only
/// act as itself (permission otherwise).
class ActingAs {
  public:
    static Result<ActingAs> user(uid_t uid, gid_t gid);
    ActingAs(ActingAs&& other) noexcept : active_(other.active_) { other.active_ = false; }
    ActingAs& operator=(ActingAs&&) = delete;
    ActingAs(const ActingAs&) = delete;
    ActingAs& operator=(const ActingAs&) = delete;
    ~ActingAs();

  private:
    explicit ActingAs(bool active) : active_(active) {}
    bool active_;
};

} // namespace picket::remedy
