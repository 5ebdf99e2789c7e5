#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <doctest/doctest.h>
#include <picket/base/unique_fd.h>
#include <picket/sandbox/landlock.h>
#include <picket/sandbox/privileges.h>

#include "in_child.h"

using namespace picket;
using namespace picket::sandbox;

namespace {

struct TemporaryDirectory {
    std::string path = "/tmp/picket-sandbox-XXXXXX";
    TemporaryDirectory() { REQUIRE(mkdtemp(path.data()) != nullptr); }
    ~TemporaryDirectory() {
        for (const char* name : {"/inside/file", "/inside/new", "/inside", "/outside"})
            ::remove((path + name).c_str());
        rmdir(path.c_str());
    }
};

bool can_open(const std::string& path, int flags) {
    return static_cast<bool>(UniqueFd(open(path.c_str(), flags | O_CLOEXEC, 0600)));
}

} // namespace

TEST_CASE("Landlock: what is granted works, everything else is refused") {
    if (landlock_abi() == 0) {
        MESSAGE("skipped: this kernel has no Landlock");
        return;
    }
    const TemporaryDirectory temporary;
    const std::string inside = temporary.path + "/inside";
    REQUIRE(mkdir(inside.c_str(), 0700) == 0);
    std::ofstream(inside + "/file") << "x";
    std::ofstream(temporary.path + "/outside") << "x";
    const auto confined = [&](FileAccess access) {
        return in_child([&] {
            const UniqueFd directory(open(inside.c_str(), O_PATH | O_DIRECTORY));
            if (!restrict_files({.allowed = {{directory.get(), access}}}))
                return 99;
            const bool write = access == FileAccess::read_write;
            const bool right = can_open(inside + "/file", O_RDONLY) &&
                               !can_open(temporary.path + "/outside", O_RDONLY) && !can_open("/etc/passwd", O_RDONLY) &&
                               can_open(inside + "/new", O_WRONLY | O_CREAT) == write &&
                               (symlink("x", (inside + "/link").c_str()) != 0) &&
                               execl("/bin/true", "true", nullptr) == -1 && errno == EACCES;
            return right ? 0 : 1;
        });
    };
    CHECK(confined(FileAccess::read) == 0);
    CHECK(confined(FileAccess::read_write) == 0);
}

TEST_CASE("capabilities are gone, also after exec of a set-user-id program") {
    CHECK(in_child([] {
              if (!drop_all_capabilities())
                  return 99;
              const bool no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
              return no_new_privileges && sethostname("x", 1) == -1 && errno == EPERM ? 0 : 1;
          }) == 0);
}

TEST_CASE("a limit is cut to the hard limit in force") {
    CHECK(in_child([] {
              if (!set_limits({{RLIMIT_NOFILE, 50}}) || !set_limits({{RLIMIT_NOFILE, 100}}))
                  return 99;
              rlimit now{};
              getrlimit(RLIMIT_NOFILE, &now);
              return now.rlim_cur == 50 && now.rlim_max == 50 ? 0 : 1;
          }) == 0);
}

TEST_CASE("a soft limit can be raised again, up to the hard limit") {
    CHECK(in_child([] {
              if (!set_limits({{RLIMIT_NOFILE, 50}}) || !set_soft_limits({{RLIMIT_NOFILE, 20}}))
                  return 99;
              rlimit lowered{};
              getrlimit(RLIMIT_NOFILE, &lowered);
              if (!set_soft_limits({{RLIMIT_NOFILE, RLIM_INFINITY}}))
                  return 98;
              rlimit raised{};
              getrlimit(RLIMIT_NOFILE, &raised);
              return lowered.rlim_cur == 20 && lowered.rlim_max == 50 && raised.rlim_cur == 50 ? 0 : 1;
          }) == 0);
}

TEST_CASE("a child dies with its parent and notices a parent that is gone") {
    CHECK(in_child([] {
              const auto gone = die_with_parent(1);
              return (getppid() == 1) == gone.has_value() && die_with_parent(getppid()) ? 0 : 1;
          }) == 0);
}

TEST_CASE("users by name and by number") {
    REQUIRE(find_identity("root"));
    CHECK(find_identity("root")->uid == 0);
    CHECK(find_identity("61234")->gid == 61234);
    CHECK(find_identity("no-such-user-here").error().code() == ErrorCode::not_found);
}

TEST_SUITE("root") {
    TEST_CASE("there is no way back to root") {
        CHECK(in_child([] {
                  if (!become({61234, 61234}) || !drop_all_capabilities())
                      return 99;
                  return setuid(0) == -1 && !can_open("/etc/shadow", O_RDONLY) ? 0 : 1;
              }) == 0);
    }
}
