#include <doctest/doctest.h>

#include <sys/wait.h>

#include "faulty_disk.h"
#include "fixture.h"

using namespace picket;
using namespace picket::remedy;
using namespace picket::remedy::testing;

namespace {

const std::string kContent = "malicious " + std::string(300'000, 'm');
const std::string kPath = "/home/eve/bad";
const std::string kId = "0123456789abcdef";

/// Copies that a user could get at: files with the content anywhere outside, plus what restores from the vault.
std::size_t good_copies(Host& host) {
    std::size_t copies = 0;
    for (const auto& entry : fs::directory_iterator(host.at("/home/eve"))) {
        CHECK(read_text(entry.path()) == kContent); // no half file, no stray name with something else
        ++copies;
    }
    const auto vault = host.open();
    REQUIRE(vault);
    CHECK(vault->reconciled().undecided == 0);
    const auto page = vault->list("", mebibytes(1));
    CHECK(host.vault_files() == page.items.size() * 2);
    if (page.items.empty())
        return copies;
    const std::string test_place = "/var/lib/picket/proof";
    const std::string id = data::string_or(page.items.front(), "quarantine_id", "");
    const auto proof = const_cast<Vault&>(*vault).restore({id, test_place, false});
    REQUIRE(proof);
    CHECK(read_text(host.at(test_place)) == kContent);
    return copies + 1;
}

void check_one_good_copy(Host& host) {
    CHECK(good_copies(host) == 1);
}

/// The calls of a work, each of which was made to fail once; their names where the work ran in this process.
struct Covered {
    std::size_t calls = 0;
    std::set<std::string> names;
};

/// Runs `work` against a disk that fails at the n-th call for every n until it no longer fails, and `check` after each
/// and a new start.
template <typename Work, typename Prepare, typename Check = void (*)(Host&)>
Covered for_each_fault(Fault fault, const Prepare& prepare, const Work& work,
                       const Check& check = check_one_good_copy) {
    Covered covered;
    for (std::size_t n = 1;; ++n) {
        CAPTURE(n);
        REQUIRE(n < 500);
        Host host;
        prepare(host);
        FaultyDisk disk(fault, n);
        disk.lose_below = host.top;
        if (fault == Fault::kill) {
            const pid_t pid = fork();
            if (pid == 0) {
                work(host, disk);
                _exit(disk.calls() < n ? 1 : 0);
            }
            int status = 0;
            waitpid(pid, &status, 0);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
                return covered;
            REQUIRE(WIFSIGNALED(status));
        } else {
            work(host, disk);
            if (disk.calls() < n)
                return covered;
            covered.names.insert(disk.failed_call());
            if (fault == Fault::power_cut)
                disk.lose_unsynced();
        }
        covered.calls = n;
        { // the next start
            const auto vault = host.open();
            REQUIRE(vault);
        }
        check(host);
    }
}

void prepare_file(Host& host) {
    write_text(host.at(kPath), kContent);
}
void quarantine_with(Host& host, Disk& disk) {
    auto vault = host.open(disk);
    if (vault)
        (void)host.quarantine(*vault, kPath, kId);
}
void prepare_vault(Host& host) {
    prepare_file(host);
    auto vault = host.open();
    REQUIRE(host.quarantine(*vault, kPath, kId)->removed);
}
void restore_with(Host& host, Disk& disk) {
    auto vault = host.open(disk);
    if (vault)
        (void)vault->restore({kId, "", false});
}
constexpr Fault kFaults[] = {Fault::power_cut, Fault::kill, Fault::disk_full, Fault::input_output};

} // namespace

TEST_CASE("quarantine ended at any call leaves exactly one good copy and a true index") {
    for (const Fault fault : kFaults) {
        CAPTURE(static_cast<int>(fault));
        const Covered covered = for_each_fault(fault, prepare_file, quarantine_with);
        CHECK(covered.calls > 15);
        if (fault != Fault::kill)
            CHECK(covered.names == std::set<std::string>{"open", "read", "rename", "space", "status",
                                                         "status of a name", "sync", "sync directory", "unlink",
                                                         "write"});
    }
}

TEST_CASE("restore ended at any call leaves exactly one good copy and a true index") {
    for (const Fault fault : kFaults) {
        CAPTURE(static_cast<int>(fault));
        const Covered covered = for_each_fault(fault, prepare_vault, restore_with);
        CHECK(covered.calls > 15);
        if (fault != Fault::kill)
            CHECK(covered.names == std::set<std::string>{"open", "read", "rename", "set attributes", "status",
                                                         "status of a name", "sync", "sync directory", "unlink",
                                                         "write"});
    }
}

TEST_CASE("a restore over another file, ended at any call, leaves one of the two whole, and one good copy") {
    const std::string mine = "the user's own file of that name";
    const auto prepare = [&](Host& host) {
        prepare_vault(host);
        write_text(host.at(kPath), mine);
    };
    const auto work = [](Host& host, Disk& disk) {
        if (auto vault = host.open(disk))
            (void)vault->restore({kId, "", true});
    };
    const auto check = [&](Host& host) {
        if (read_text(host.at(kPath)) == mine)
            REQUIRE(fs::remove(host.at(kPath)));
        check_one_good_copy(host); // the other one's only copy is in the vault, or in place
    };
    for (const Fault fault : kFaults)
        CHECK(for_each_fault(fault, prepare, work, check).calls > 15);
}

TEST_CASE("a removal from the vault, ended at any call, leaves the entry whole or gone") {
    const auto work = [](Host& host, Disk& disk) {
        if (auto vault = host.open(disk))
            (void)vault->remove(kId);
    };
    const auto check = [](Host& host) {
        const bool is_there = host.vault_files() > 0;
        CHECK(good_copies(host) == (is_there ? 1U : 0U));
    };
    for (const Fault fault : kFaults)
        CHECK(for_each_fault(fault, prepare_vault, work, check).calls > 4);
}

TEST_CASE("after a call that failed the same vault goes on: the next attempt takes the file, and the index is true") {
    const auto quarantine_again = [](Host& host, Disk& disk) {
        auto vault = host.open(disk);
        if (!vault)
            return;
        (void)host.quarantine(*vault, kPath, kId);
        if (fs::exists(host.at(kPath)))
            CHECK(host.quarantine(*vault, kPath, "another")->removed);
        CHECK(vault->size() == 1);
    };
    const auto restore_again = [](Host& host, Disk& disk) {
        auto vault = host.open(disk);
        if (!vault)
            return;
        if (!vault->restore({kId, "", false}) && !fs::exists(host.at(kPath)))
            CHECK(vault->restore({kId, "", false}));
        CHECK(read_text(host.at(kPath)) == kContent);
    };
    for (const Fault fault : {Fault::disk_full, Fault::input_output}) {
        CAPTURE(static_cast<int>(fault));
        for_each_fault(fault, prepare_file, quarantine_again);
        for_each_fault(fault, prepare_vault, restore_again);
    }
}

TEST_CASE("a start-up pass ended at any call is finished by the next") {
    // The worst place of both operations: renamed but not unlinked, and restored but not dropped.
    const auto interrupted = [](Host& host, std::size_t at, auto prepare, auto work) {
        prepare(host);
        FaultyDisk disk(Fault::power_cut, at);
        work(host, disk);
    };
    for (std::size_t at = 10; at < 40; at += 3) {
        CAPTURE(at);
        const auto start = [](Host& host, Disk& disk) { (void)host.open(disk); };
        for_each_fault(
            Fault::power_cut, [&](Host& host) { interrupted(host, at, prepare_file, quarantine_with); }, start);
        for_each_fault(
            Fault::power_cut, [&](Host& host) { interrupted(host, at, prepare_vault, restore_with); }, start);
    }
}

TEST_CASE("after a crash a file that is no longer the judged one is not touched") {
    Host host;
    prepare_file(host);
    // Find the call at which the copy is indexed and the original still at its place.
    std::size_t at = 1;
    for (;; ++at) {
        FaultyDisk disk(Fault::power_cut, at);
        quarantine_with(host, disk);
        if (fs::exists(host.vault() / (kId + ".json")) && fs::exists(host.at(kPath)))
            break;
        REQUIRE(at < 100);
    }
    write_text(host.at(kPath), "a new file of the user");
    const auto vault = host.open();
    REQUIRE(vault);
    CHECK(read_text(host.at(kPath)) == "a new file of the user");
    CHECK(vault->reconciled().copies_dropped == 1);
    CHECK(host.vault_files() == 0);
}
