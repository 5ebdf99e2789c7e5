#include <doctest/doctest.h>

#include <csignal>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "acting_as.h"
#include "race_stage.h"

using namespace picket;
using namespace picket::remedy;
using namespace picket::remedy::testing;

namespace {

constexpr const char* kBad = "/home/eve/a/b/bad";
constexpr const char* kId = "0123456789abcdef";

/// The judged file, held open as the gate holds it. Made beside and moved in, so that its name is right at once.
UniqueFd put_judged(const Stage& stage) {
    const int place = stage.place.get();
    UniqueFd writer(openat(place, "fresh", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    REQUIRE(::write(writer.get(), "bad", 3) == 3);
    UniqueFd judged(openat(place, "fresh", O_RDONLY | O_CLOEXEC));
    REQUIRE(syscall(__NR_renameat2, place, "fresh", place, "bad", 1 /* RENAME_NOREPLACE */) == 0);
    return judged;
}

/// Quarantines the judged file under attack; it is gone exactly where that was said, and nothing else ever is.
void race(Stage& stage, const std::string& what, const fs::path& one, const fs::path& two, const char* other_name) {
    CAPTURE(what);
    const Bystander canary(stage.canary);
    const Bystander protected_place(stage.host.at("/protected/home/eve/a/b"));
    const Bystander planted(two);
    auto vault = stage.host.open();
    REQUIRE(vault);
    UniqueFd judged = put_judged(stage);
    int removed = 0;
    int changed = 0;
    const int rounds = race_rounds();
    const Attacker attacker([&] { exchange(one, two); });
    for (int round = 0; round < rounds; ++round) {
        const auto outcome = vault->quarantine(Host::request_for(kBad, judged.get(), kId), judged.get()).value();
        struct stat status {};
        REQUIRE(fstat(judged.get(), &status) == 0);
        REQUIRE((status.st_nlink == 0) == outcome.removed);
        REQUIRE(vault->size() == (outcome.removed ? 1U : 0U));
        REQUIRE(canary.is_untouched());
        REQUIRE(protected_place.is_untouched());
        REQUIRE(planted.is_untouched());
        changed += outcome.reason == "changed" ? 1 : 0;
        if (!outcome.removed)
            continue;
        ++removed;
        REQUIRE(vault->remove(kId));
        judged = put_judged(stage); // with this name gone there is nothing to exchange until now
    }
    for (const std::string& name : stage.names())
        CHECK((name == "bad" || name == other_name)); // nothing is left under a name of ours
    MESSAGE(what << ": removed " << removed << ", another file met " << changed << " of " << rounds);
}

void race_directory(const std::string& component, Stage::Decoy decoy) {
    Stage stage(true);
    const fs::path two = stage.make_decoy(component, decoy);
    race(stage, component + (decoy == Stage::Decoy::directory ? " <-> a directory" : " <-> a link"),
         stage.host.at(component), two, "bad");
}

void race_file(const std::string& what, const std::function<void(const Stage&, const fs::path&)>& plant) {
    Stage stage(true);
    const fs::path other = stage.host.at("/home/eve/a/b/other");
    plant(stage, other);
    race(stage, "the file <-> " + what, stage.host.at(kBad), other, "other");
}

} // namespace

TEST_CASE("exchanging any directory of the path removes nothing but the judged file") {
    for (const std::string& component : Stage::components())
        for (const auto decoy : {Stage::Decoy::symbolic_link, Stage::Decoy::directory})
            race_directory(component, decoy);
}

TEST_CASE("exchanging the file itself removes nothing but the judged file") {
    race_file("a link", [](const Stage& stage, const fs::path& at) { fs::create_symlink(stage.canary, at); });
    race_file("a hard link to a protected file",
              [](const Stage& stage, const fs::path& at) { fs::create_hard_link(stage.canary, at); });
    race_file("another file", [](const Stage&, const fs::path& at) { write_text(at, "bad"); });
    race_file("a directory", [](const Stage&, const fs::path& at) { fs::create_directory(at); });
}

TEST_CASE("a writer that changes the file while it is copied is noticed") {
    Host host;
    auto vault = host.open();
    const std::string path = "/home/eve/bad";
    write_text(host.at(path), std::string(4'000'000, 'x'));
    const UniqueFd fd(open(host.at(path).c_str(), O_RDONLY | O_CLOEXEC));
    std::atomic<bool> stop{false};
    std::atomic<int> writes{0};
    std::thread writer([&] {
        const UniqueFd writable(open(host.at(path).c_str(), O_WRONLY | O_CLOEXEC));
        while (!stop)
            writes += pwrite(writable.get(), "y", 1, writes % 4'000'000) == 1 ? 1 : 0;
    });
    while (writes == 0)
        std::this_thread::yield();
    const auto outcome = vault->quarantine(Host::request_for(path, fd.get()), fd.get());
    stop = true;
    writer.join();
    REQUIRE(outcome);
    CHECK_FALSE(outcome->removed);
    CHECK(outcome->reason == "changed");
    CHECK(fs::file_size(host.at(path)) == 4'000'000);
    CHECK(host.vault_files() == 0);
}

TEST_SUITE("root") {
    constexpr uid_t kEve = 54321;
    constexpr gid_t kEveGroup = 54322;

    /// A file of eve's in a home of hers, in the vault.
    void prepare_eve(Host & host, Vault & vault) {
        REQUIRE(chown(host.at("/home/eve").c_str(), kEve, kEveGroup) == 0);
        REQUIRE(chmod(host.at("/home/eve").c_str(), 0700) == 0);
        write_text(host.at("/home/eve/bad"), "bad");
        REQUIRE(chown(host.at("/home/eve/bad").c_str(), kEve, kEveGroup) == 0);
        REQUIRE(chmod(host.at("/home/eve/bad").c_str(), 06755) == 0);
        REQUIRE(host.quarantine(vault, "/home/eve/bad")->removed);
    }

    TEST_CASE("a restore is done with the rights of the former owner") {
        Host host;
        auto vault = host.open();
        REQUIRE(vault);
        prepare_eve(host, *vault);
        fs::create_directories(host.at("/etc/cron.d"));
        REQUIRE(vault->restore({"0123456789abcdef", "/etc/cron.d/bad", false}).error().code() == ErrorCode::permission);
        REQUIRE(chown(host.at("/etc/cron.d").c_str(), 0, 0) == 0);
        REQUIRE(chmod(host.at("/etc/cron.d").c_str(), 0775) == 0); // group root is none of hers either
        REQUIRE(vault->restore({"0123456789abcdef", "/etc/cron.d/bad", false}).error().code() == ErrorCode::permission);
        CHECK(fs::is_empty(host.at("/etc/cron.d")));

        // The ladder: her directory becomes a link to one that only root may write.
        fs::rename(host.at("/home/eve"), host.at("/home/moved"));
        fs::create_directory_symlink(host.at("/etc/cron.d"), host.at("/home/eve"));
        CHECK_FALSE(vault->restore({"0123456789abcdef", "", false}));
        fs::remove(host.at("/home/eve"));
        fs::create_directory_symlink("../etc/cron.d", host.at("/home/eve"));
        CHECK_FALSE(vault->restore({"0123456789abcdef", "", true}));
        fs::remove(host.at("/home/eve"));
        fs::rename(host.at("/home/moved"), host.at("/home/eve"));
        CHECK(fs::is_empty(host.at("/etc/cron.d")));

        write_text(host.at("/home/eve/roots"), "root's");
        CHECK(vault->restore({"0123456789abcdef", "/home/eve/roots", true}).error().code() == ErrorCode::conflict);
        CHECK(read_text(host.at("/home/eve/roots")) == "root's");

        REQUIRE(vault->restore({"0123456789abcdef", "", false}));
        struct stat status {};
        REQUIRE(stat(host.at("/home/eve/bad").c_str(), &status) == 0);
        CHECK(status.st_uid == kEve);
        CHECK(status.st_gid == kEveGroup);
        CHECK((status.st_mode & 07777) == 0755);
        CHECK(geteuid() == 0);
        write_text(host.at("/etc/cron.d/ours"), "we are root again");
        CHECK(fs::exists(host.at("/etc/cron.d/ours")));
    }

    TEST_CASE("an immutable file stays, with its reason") {
        Host host(fs::temp_directory_path());
        auto vault = host.open();
        write_text(host.at("/home/eve/bad"), "bad");
        const UniqueFd fd(open(host.at("/home/eve/bad").c_str(), O_RDONLY | O_CLOEXEC));
        int flags = FS_IMMUTABLE_FL;
        if (ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) != 0) {
            MESSAGE("skipped: this file system has no immutable flag");
            return;
        }
        const auto outcome = vault->quarantine(Host::request_for("/home/eve/bad", fd.get()), fd.get());
        flags = 0;
        REQUIRE(ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) == 0);
        REQUIRE(outcome);
        CHECK(outcome->reason == "read_only");
        CHECK(fs::exists(host.at("/home/eve/bad")));
        CHECK(host.vault_files() == 0);
    }

    TEST_CASE("a full vault and a read-only file system lose nothing") {
        Host host;
        // Mounts in a namespace of a child's own: nothing is left behind whatever happens.
        const pid_t pid = fork();
        if (pid == 0) {
            if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
                _exit(77);
            if (mount("tmpfs", host.at("/var/lib/picket").c_str(), "tmpfs", 0, "size=256k") != 0 ||
                mount("tmpfs", host.at("/home/eve").c_str(), "tmpfs", 0, "size=4m") != 0)
                _exit(77);
            host.root = UniqueFd(open(host.top.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)); // in the new namespace
            write_text(host.at("/home/eve/bad"), std::string(1'000'000, 'x'));
            auto vault = host.open();
            if (!vault)
                _exit(1);
            if (host.quarantine(*vault, "/home/eve/bad")->reason != "exhausted" || host.vault_files() != 0)
                _exit(2);
            // Enough by the figures, too little in truth: the writes themselves fail.
            struct Optimist : Disk {
                Result<Bytes> space_at(int) override { return gibibytes(1); }
            } optimist;
            (void)vault;
            { auto gone = std::move(*vault); }
            auto second = host.open(optimist);
            if (!second || host.quarantine(*second, "/home/eve/bad")->reason != "exhausted" || host.vault_files() != 0)
                _exit(3);
            write_text(host.at("/home/eve/small"), "bad");
            if (mount("", host.at("/home/eve").c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
                _exit(77);
            if (host.quarantine(*second, "/home/eve/small")->reason != "read_only" || host.vault_files() != 0)
                _exit(4);
            if (read_text(host.at("/home/eve/small")) != "bad" || fs::file_size(host.at("/home/eve/bad")) != 1'000'000)
                _exit(5);
            _exit(0);
        }
        int status = 0;
        REQUIRE(waitpid(pid, &status, 0) == pid);
        REQUIRE(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
            MESSAGE("skipped: no mounts here");
            return;
        }
        CHECK(WEXITSTATUS(status) == 0);
    }

    TEST_CASE("acting as another user takes the rights over others' files away and gives them back") {
        Host host;
        write_text(host.at("/home/eve/secret"), "root's");
        REQUIRE(chmod(host.at("/home/eve/secret").c_str(), 0600) == 0);
        {
            const auto acting = ActingAs::user(kEve, kEveGroup);
            REQUIRE(acting);
            CHECK(open(host.at("/home/eve/secret").c_str(), O_RDONLY | O_CLOEXEC) == -1);
        }
        CHECK(UniqueFd(open(host.at("/home/eve/secret").c_str(), O_RDONLY | O_CLOEXEC)).get() >= 0);
    }
}
