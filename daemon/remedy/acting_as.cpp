#include "acting_as.h"

#include <cerrno>
#include <grp.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/check.h>

namespace picket::remedy {
namespace {

// setfsuid reports no failure; asking with an impossible id says what is in force.
bool in_force(uid_t uid, gid_t gid) {
    return static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))) == uid &&
           static_cast<gid_t>(setfsgid(static_cast<gid_t>(-1))) == gid;
}

void be_ourselves() {
    (void)setfsuid(geteuid());
    (void)setfsgid(getegid());
    PICKET_CHECK(in_force(geteuid(), getegid()));
}

} // namespace

Result<ActingAs> ActingAs::user(uid_t uid, gid_t gid) {
    if (geteuid() != 0) {
        if (uid != geteuid())
            return Error(ErrorCode::permission, fmt::format("only root can act as uid {}", uid));
        return ActingAs(false);
    }
    if (getgroups(0, nullptr) != 0 && setgroups(0, nullptr) != 0)
        return Error::from_errno(errno, "giving up supplementary groups");
    (void)setfsgid(gid);
    (void)setfsuid(uid);
    if (!in_force(uid, gid)) {
        be_ourselves();
        return Error(ErrorCode::permission, fmt::format("the kernel does not let us act as uid {} gid {}", uid, gid));
    }
    return ActingAs(true);
}

ActingAs::~ActingAs() {
    if (active_)
        be_ourselves();
}

} // namespace picket::remedy
