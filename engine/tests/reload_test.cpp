#include <algorithm>
#include <csignal>
#include <cstdlib>
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

/// Kinds of signatures that are parsed, each by code of its own.
const std::vector<std::pair<const char*, std::string>>& seeds() {
    static const std::vector<std::pair<const char*, std::string>> all{
        {"m.ndb", "Threat.A:0:*:616263646566\nThreat.B:1:EP+0:deadbeef??aa{4-8}bb*cc(01|02)\n"},
        {"m.ldb", "Threat.L;Engine:51-255,Target:0;(0&1)|(2>3,2);6162636465;0:66676869??6a;0/abc.*d{2,9}ef/i\n"},
        {"m.yar", "rule R { meta: x = 1 strings: $a = \"abcdef\" wide $b = { 61 62 ?? [2-4] 64 } $c = /ab+c[d-f]{3}/ "
                  "condition: 2 of them and filesize < 9KB }\n"},
        {"m.hsb", std::string(64, 'a') + ":100:Threat.H:73\n" + std::string(64, 'b') + ":*:Threat.I:73\n"},
        {"m.hdb", std::string(32, 'c') + ":4096:Threat.J\n"},
        {"m.cdb", "Threat.C:CL_TYPE_ZIP:*:^evil\\.exe$:10-200:*:0:1:*:*\n"},
        {"m.mdb", "4096:" + std::string(32, 'd') + ":Threat.M\n"},
        {"m.ign2", "Threat.A\nThreat.B:" + std::string(32, 'e') + "\n"}};
    return all;
}

/// The same for every run.
class Dice {
  public:
    std::size_t roll(std::size_t sides) {
        state_ = state_ * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
        return static_cast<std::size_t>(state_ >> 33U) % sides;
    }

  private:
    std::uint64_t state_ = 1;
};

/// A few bytes changed, doubled, or cut off.
std::string damaged(std::string text, Dice& dice) {
    for (std::size_t changes = 1 + dice.roll(4); changes > 0 && !text.empty(); --changes) {
        const std::size_t at = dice.roll(text.size());
        switch (dice.roll(4)) {
        case 0:
            text[at] = static_cast<char>(dice.roll(256));
            break;
        case 1:
            text[at] = ":;,*{}()[]&|?-0f\n/"[dice.roll(18)];
            break;
        case 2:
            text.insert(at, text.substr(at, 1 + dice.roll(2'000)));
            break;
        default:
            text.resize(at);
        }
    }
    return text;
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

TEST_CASE("damaged candidates: whatever one does to its loader, it serves well or what was there goes on") {
    const std::uint32_t count = std::getenv("PICKET_LONG") != nullptr ? 200 : 40; // a second or less for each
    EngineProcess engine;
    engine.start_ready(1);
    Dice dice;
    std::size_t taken = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto& [name, content] = seeds()[i % seeds().size()];
        const std::string generation = fmt::format("m{:03}", i);
        const std::string bad = damaged(content, dice);
        CAPTURE(generation);
        CAPTURE(bad);
        engine.install(generation, name, bad);
        engine.make_candidate(generation);
        const scan::EngineStatus status = ask(engine, EngineCommandKind::try_candidate, 100 + i);
        const bool serves = std::string(status.definitions) == generation;
        taken += serves ? 1U : 0U;
        REQUIRE((serves || std::string(status.message).find(generation) == 0));
        REQUIRE(finds(engine, eicar()));
    }
    MESSAGE("taken: ", taken, " of ", count, " damaged sets, the others refused");
    CHECK(taken > 0);
    CHECK(taken < count);
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
