#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>

#include "engine_process.h"

using namespace picket;
using namespace picket::engine::testing;
using scan::EngineCommandKind;
using scan::LoadState;

namespace {

constexpr const char* kNewThreat = "a threat that only the new set knows";

std::string signature(const std::string& name, const std::string& body) {
    return name + ":0:*:" + to_hex(as_bytes(body)) + "\n";
}

/// What was answered when it was done.
scan::EngineStatus ask(EngineProcess& engine, EngineCommandKind kind, std::uint32_t sequence) {
    engine.gate().command(kind, 0, sequence);
    const auto status = engine.gate().answer_to(sequence);
    REQUIRE(status);
    return *status;
}
scan::EngineStatus reload(EngineProcess& engine, std::uint32_t sequence) {
    return ask(engine, EngineCommandKind::reload, sequence);
}

bool finds(EngineProcess& engine, const std::string& content) {
    const auto reply = engine.gate().scan_content(content);
    return reply && reply->verdict == Verdict::malicious;
}

void check_good_reload(const std::vector<std::string>& options) {
    EngineProcess engine;
    engine.start_ready(2, options);
    CHECK(!finds(engine, kNewThreat));
    engine.install("g2", "new.ndb", signature("New.Threat", kNewThreat));
    engine.make_current("g2");
    const scan::EngineStatus status = reload(engine, 5);
    CHECK(status.state == LoadState::ready);
    CHECK(std::string(status.definitions) == "g2");
    CHECK(engine.gate().wait_for_workers(2, "g2"));
    CHECK(engine.gate().wait_for_workers(0, "g1"));
    CHECK(finds(engine, kNewThreat));
    CHECK(finds(engine, eicar()));
    CHECK(engine.gate().last_status()->workers_crashed == 0);
    // Named again, it is there already.
    CHECK(reload(engine, 6).state == LoadState::ready);
}

struct BadSet {
    const char* generation;
    const char* file;
    std::string content;
    const char* complaint;
};
const std::vector<BadSet>& bad_sets() {
    static const std::vector<BadSet> sets{
        {"g2", "broken.ndb", "no signature at all\n", "broken.ndb"},
        {"g3", "alarm.ndb", signature("False.Alarm", "quick brown fox"), "False.Alarm"},
        {"g4", "blind.ign2", "Eicar-Test-Signature\n", "EICAR"},
    };
    return sets;
}

void check_bad_reloads(const std::vector<std::string>& options) {
    EngineProcess engine;
    engine.start_ready(1, options);
    std::uint32_t sequence = 10;
    for (const BadSet& bad : bad_sets()) {
        engine.install(bad.generation, bad.file, bad.content);
        engine.make_current(bad.generation);
        for (int attempt = 0; attempt < 2; ++attempt) { // the second is answered from memory
            const scan::EngineStatus status = reload(engine, sequence++);
            CHECK(status.state == LoadState::reload_failed);
            CHECK(std::string(status.definitions) == "g1");
            CHECK_MESSAGE(std::string(status.message).find(bad.complaint) != std::string::npos,
                          std::string(status.message));
            CHECK(std::string(status.message).find(bad.generation) == 0);
            CHECK(engine.gate().wait_for_workers(1, "g1"));
            CHECK(finds(engine, eicar()));
        }
    }
    engine.install("g9", "new.ndb", signature("New.Threat", kNewThreat));
    engine.make_current("g9");
    CHECK(reload(engine, sequence).state == LoadState::ready);
    CHECK(engine.gate().wait_for_workers(1, "g9"));
    CHECK(engine.gate().wait_for_workers(0, "g1"));
    CHECK(finds(engine, kNewThreat));
}

std::vector<pid_t> children_of(pid_t pid) {
    std::vector<pid_t> children;
    const auto text = sys::read_kernel_file(fmt::format("/proc/{}/task/{}/children", pid, pid));
    if (text)
        for (const std::string_view word : split(trim(*text), ' '))
            if (const auto child = parse_unsigned(word))
                children.push_back(static_cast<pid_t>(*child));
    return children;
}

} // namespace

TEST_CASE("new definitions take over, the old workers leave") {
    check_good_reload({});
}
TEST_CASE("new definitions take over where memory is short: one set after the other") {
    check_good_reload({"--sequential-reload"});
}

TEST_CASE("definitions that do not load, condemn what is clean or miss EICAR are refused once; the old ones go on") {
    check_bad_reloads({});
}
TEST_CASE("refused definitions where memory is short: the old ones come back") {
    check_bad_reloads({"--sequential-reload"});
}

TEST_CASE("a candidate that is good serves at once, and `current` may follow without another load") {
    EngineProcess engine;
    engine.start_ready(1);
    engine.install("g2", "new.ndb", signature("New.Threat", kNewThreat));
    engine.make_candidate("g2");
    const scan::EngineStatus tried = ask(engine, EngineCommandKind::try_candidate, 5);
    CHECK(tried.state == LoadState::ready);
    CHECK(std::string(tried.definitions) == "g2");
    REQUIRE(engine.gate().wait_for_workers(1, "g2"));
    REQUIRE(engine.gate().wait_for_workers(0, "g1"));
    CHECK(finds(engine, kNewThreat));
    const std::vector<pid_t> zygotes = children_of(engine.pid());
    engine.make_current("g2");
    CHECK(std::string(reload(engine, 6).definitions) == "g2");
    for (const pid_t child : children_of(engine.pid()))
        CHECK(std::find(zygotes.begin(), zygotes.end(), child) != zygotes.end());
}

TEST_CASE("a bad candidate never serves, is tried once, and a reload of what is current ends the matter") {
    EngineProcess engine;
    engine.start_ready(1);
    std::uint32_t sequence = 20;
    for (const BadSet& bad : bad_sets()) {
        engine.install(bad.generation, bad.file, bad.content);
        engine.make_candidate(bad.generation);
        const scan::EngineStatus status = ask(engine, EngineCommandKind::try_candidate, sequence++);
        CHECK(std::string(status.definitions) == "g1");
        CHECK(std::string(status.message).find(bad.complaint) != std::string::npos);
        CHECK(finds(engine, eicar()));
        CHECK(reload(engine, sequence++).state == LoadState::ready);
    }
}

TEST_CASE("without definitions a good candidate is the first") {
    EngineProcess engine;
    engine.start({"--workers", "1"});
    REQUIRE(engine.gate().wait_for_state(LoadState::failed));
    engine.install("g1");
    engine.make_candidate("g1");
    CHECK(std::string(ask(engine, EngineCommandKind::try_candidate, 3).definitions) == "g1");
    CHECK(engine.gate().wait_for_workers(1, "g1"));
}

TEST_CASE("an old worker finishes its request before it leaves") {
    EngineProcess engine;
    engine.start_ready(1);
    const std::string path = engine.file("large", "");
    REQUIRE(truncate(path.c_str(), 1'000LL << 20) == 0);
    const UniqueFd fd(open(path.c_str(), O_RDONLY));
    FakeGate::Connection& worker = engine.gate().worker();
    const std::uint64_t id = engine.gate().request(worker, fd.get());
    engine.install("g2");
    engine.make_current("g2");
    CHECK(reload(engine, 5).state == LoadState::ready);
    const auto reply = engine.gate().reply_to(worker, id);
    REQUIRE(reply);
    CHECK(reply->verdict == Verdict::clean);
    CHECK(engine.gate().wait_until([&] { return worker.closed; }));
}

TEST_CASE("a zygote that dies or stops while it loads: the old one goes on") {
    for (const int signal : {SIGKILL, SIGSTOP}) {
        EngineProcess engine;
        engine.start_ready(1);
        const std::vector<pid_t> before = children_of(engine.pid());
        std::string many;
        for (unsigned i = 0; i < 400'000; ++i)
            many += fmt::format("{:032x}:{}:Test.{}\n", i * 2654435761ULL + 1, 1'000 + i % 5'000, i);
        engine.install("g2", "many.hdb", many);
        engine.make_current("g2");
        engine.gate().command(EngineCommandKind::reload, 0, 3);
        pid_t loading = 0;
        REQUIRE(engine.gate().wait_until([&] {
            for (const pid_t child : children_of(engine.pid()))
                if (std::find(before.begin(), before.end(), child) == before.end())
                    loading = child;
            return loading != 0;
        }));
        REQUIRE(kill(loading, signal) == 0);
        const auto status = engine.gate().answer_to(3);
        REQUIRE(status);
        CHECK(status->state == LoadState::reload_failed);
        CHECK(finds(engine, eicar()));
    }
}

TEST_CASE("no definitions: it says so, goes on, and starts as soon as there are some") {
    EngineProcess engine;
    engine.start({"--workers", "1"});
    REQUIRE(engine.gate().wait_for_state(LoadState::failed));
    CHECK(std::string(engine.gate().last_status()->message).find("definitions") != std::string::npos);
    engine.gate().command(EngineCommandKind::reload, 0, 4);
    CHECK(engine.gate().answer_to(4)->state == LoadState::failed);

    engine.install("g1", "broken.ndb", "nothing\n");
    engine.make_current("g1");
    CHECK(engine.gate().wait_until(
        [&] { return std::string(engine.gate().last_status()->message).find("broken.ndb") != std::string::npos; }));
    engine.install("g2");
    engine.make_current("g2");
    REQUIRE(engine.gate().wait_for_workers(1, "g2"));
    CHECK(engine.gate().wait_for_state(LoadState::ready, "g2"));
    CHECK(finds(engine, eicar()));
}
