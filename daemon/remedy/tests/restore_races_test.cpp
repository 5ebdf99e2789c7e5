#include <doctest/doctest.h>

#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "race_stage.h"

using namespace picket;
using namespace picket::remedy;
using namespace picket::remedy::testing;

namespace {

constexpr uid_t kEve = 54321;
constexpr gid_t kEveGroup = 54322;
constexpr const char* kId = "0123456789abcdef";
constexpr const char* kDestination = "/home/eve/a/b/bad";

void give_to_eve(const fs::path& path) {
    REQUIRE(lchown(path.c_str(), kEve, kEveGroup) == 0);
}

/// A file of eve's in the vault, taken from a quiet place, with all that must not come back.
void put_into_vault(Host& host, Vault& vault) {
    const std::string quiet = "/quiet";
    write_text(host.at(quiet), "bad");
    give_to_eve(host.at(quiet));
    REQUIRE(chmod(host.at(quiet).c_str(), 06755) == 0);
    REQUIRE(host.quarantine(vault, quiet, kId)->removed);
}

void check_restored(const Stage& stage) {
    const UniqueFd file(openat(stage.place.get(), "bad", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(file);
    struct stat status {};
    char content[4] = {};
    REQUIRE(fstat(file.get(), &status) == 0);
    REQUIRE(read(file.get(), content, sizeof content) == 3);
    REQUIRE(std::string(content) == "bad");
    REQUIRE(status.st_uid == kEve);
    REQUIRE((status.st_mode & 07777) == 0755);
}

/// Restores under attack: the file appears in eve's own directory or nowhere, and the vault knows which.
void race_restore(Stage& stage, const std::string& what, const std::vector<const Bystander*>& bystanders,
                  const std::function<void()>& attack) {
    CAPTURE(what);
    for (const std::string& component : Stage::components())
        give_to_eve(stage.host.at(component));
    auto vault = stage.host.open();
    REQUIRE(vault);
    put_into_vault(stage.host, *vault);
    int restored = 0;
    const int rounds = race_rounds();
    {
        const Attacker attacker(attack);
        for (int round = 0; round < rounds; ++round) {
            const bool done = vault->restore({kId, kDestination, false}).has_value();
            REQUIRE(vault->size() == (done ? 0U : 1U));
            for (const Bystander* bystander : bystanders)
                REQUIRE(bystander->is_untouched());
            if (!done)
                continue;
            ++restored;
            check_restored(stage);
            REQUIRE(unlinkat(stage.place.get(), "bad", 0) == 0);
            put_into_vault(stage.host, *vault);
        }
    }
    for (const std::string& name : stage.names())
        CHECK((name == "bad" || name == "planted")); // the attacker's; nothing is left under a name of ours
    MESSAGE(what << ": restored " << restored << " of " << rounds);
}

void race_directory(const std::string& component, Stage::Decoy decoy) {
    Stage stage(false);
    const fs::path one = stage.host.at(component);
    const fs::path two = stage.make_decoy(component, decoy);
    const Bystander canary(stage.canary);
    const Bystander protected_place(stage.host.at("/protected/home/eve/a/b"));
    race_restore(stage, component + (decoy == Stage::Decoy::directory ? " <-> a directory" : " <-> a link"),
                 {&canary, &protected_place}, [&] { exchange(one, two); });
}

/// The name is taken and free again; what takes it is never replaced and never followed.
void race_name(const std::string& what, const std::function<void(const Stage&, const fs::path&)>& plant) {
    Stage stage(false);
    const fs::path planted = stage.host.at("/home/eve/a/b/planted");
    const fs::path name = stage.host.at(kDestination);
    plant(stage, planted);
    const Bystander canary(stage.canary);
    const Bystander object(planted);
    race_restore(stage, "the name <-> " + what, {&canary, &object}, [&] {
        if (rename_to_free_name(planted, name))
            rename_to_free_name(name, planted);
    });
    CHECK_FALSE(fs::exists(stage.host.at("/protected/made")));
}

/// In a mount namespace of its own; 77 = no mounts here.
int in_own_mounts(const std::function<int()>& work) {
    const pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ? 77 : work());
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

TEST_SUITE("root") {
    TEST_CASE("exchanging any directory of the destination puts nothing where the owner may not write") {
        for (const std::string& component : Stage::components())
            for (const auto decoy : {Stage::Decoy::symbolic_link, Stage::Decoy::directory})
                race_directory(component, decoy);
    }

    TEST_CASE("a destination that is taken at the last moment is never replaced and never followed") {
        race_name("a link", [](const Stage& stage, const fs::path& at) {
            fs::create_symlink(stage.host.at("/protected/made"), at);
        });
        race_name("a hard link to a protected file",
                  [](const Stage& stage, const fs::path& at) { fs::create_hard_link(stage.canary, at); });
        race_name("a fifo", [](const Stage&, const fs::path& at) { REQUIRE(mkfifo(at.c_str(), 0666) == 0); });
        race_name("a file", [](const Stage&, const fs::path& at) { write_text(at, "of eve's"); });
        race_name("a directory", [](const Stage&, const fs::path& at) { fs::create_directory(at); });
    }

    TEST_CASE("a parent that became a fifo, a file or a socket's link is refused at once") {
        Host host;
        auto vault = host.open();
        REQUIRE(vault);
        put_into_vault(host, *vault);
        REQUIRE(mkfifo(host.at("/home/eve/fifo").c_str(), 0666) == 0);
        write_text(host.at("/home/eve/file"), "a file");
        CHECK_FALSE(vault->restore({kId, "/home/eve/fifo/bad", false}));
        CHECK_FALSE(vault->restore({kId, "/home/eve/file/bad", false}));
        CHECK_FALSE(vault->restore({kId, "/proc/self/root/tmp/bad", false}));
        CHECK(vault->restore({kId, "/home/eve/fifo", true}).error().code() == ErrorCode::conflict);
        CHECK(vault->size() == 1);
        CHECK(fs::is_fifo(host.at("/home/eve/fifo")));
    }

    TEST_CASE("a directory that is mounted over the former place gets nothing") {
        const int ended = in_own_mounts([] {
            Host host;
            auto vault = host.open();
            if (!vault)
                return 1;
            put_into_vault(host, *vault);
            fs::create_directories(host.at("/etc/cron.d"));
            if (mount(host.at("/etc/cron.d").c_str(), host.at("/home/eve").c_str(), nullptr, MS_BIND, nullptr) != 0)
                return 77;
            const auto restored = vault->restore({kId, "/home/eve/bad", false});
            const bool refused = !restored && restored.error().code() == ErrorCode::permission;
            const bool empty = fs::is_empty(host.at("/etc/cron.d")) && vault->size() == 1;
            umount2(host.at("/home/eve").c_str(), MNT_DETACH);
            return refused && empty ? 0 : 2;
        });
        if (ended == 77) {
            MESSAGE("skipped: no mounts here");
            return;
        }
        CHECK(ended == 0);
    }

    TEST_CASE("capabilities, ACLs and extended attributes never come back") {
        Host host;
        auto vault = host.open();
        REQUIRE(vault);
        const fs::path path = host.at("/home/eve/bad");
        write_text(path, "bad");
        // Version 2, permitted and effective cap_setuid; an ACL that lets uid 1 read and write.
        const unsigned char capability[20] = {1, 0, 0, 2, 0x80};
        const unsigned char acl[] = {2, 0, 0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  6,
                                     0, 1, 0,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                                     6, 0, 255, 255, 255, 255, 32, 0, 4,   0,   255, 255, 255, 255};
        const std::array<std::pair<const char*, std::pair<const void*, std::size_t>>, 3> attributes{
            {{"security.capability", {capability, sizeof capability}},
             {"system.posix_acl_access", {acl, sizeof acl}},
             {"trusted.mark", {"1", 1}}}};
        int set = 0;
        for (const auto& [name, value] : attributes)
            set += setxattr(path.c_str(), name, value.first, value.second, 0) == 0 ? 1 : 0;
        if (set == 0) {
            MESSAGE("skipped: this file system has no extended attributes");
            return;
        }
        REQUIRE(host.quarantine(*vault, "/home/eve/bad", kId)->removed);
        REQUIRE(vault->restore({kId, "", false}));
        for (const auto& [name, value] : attributes)
            CHECK(getxattr(path.c_str(), name, nullptr, 0) == -1);
        MESSAGE(set << " attributes were set and none came back");
    }
}
