#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <set>
#include <unistd.h>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <picket/data/json.h>
#include <picket/engine_core/sample_corpus.h>
#include <picket/ipc/seqpacket.h>
#include <picket/sys/process.h>

#include "engine_process.h"

using namespace picket;
using namespace picket::engine::testing;
using scan::EngineCommandKind;
using scan::LoadState;

namespace {

std::string sample(const std::string& name) {
    for (const auto& entry : engine_core::sample_corpus())
        if (entry.name == name)
            return entry.content;
    return "";
}

/// Large enough that a scan is still going on when something is done to it.
std::string slow_file(const EngineProcess& engine) {
    std::string path = engine.file("slow", "");
    REQUIRE(truncate(path.c_str(), 1'200LL << 20) == 0);
    return path;
}

pid_t pid_of(const FakeGate::Connection& worker) {
    return static_cast<pid_t>(worker.hello->worker_pid);
}

/// The parent of a worker that is alive; 0 of one that lost it.
pid_t zygote_of(const EngineProcess& engine, const FakeGate::Connection& worker) {
    const pid_t parent = parent_of(pid_of(worker));
    return parent != 0 && parent_of(parent) == engine.pid() ? parent : 0;
}

bool finds_eicar(EngineProcess& engine) {
    const auto reply = engine.gate().scan_content(eicar());
    return reply && reply->verdict == Verdict::malicious;
}

} // namespace

TEST_CASE("EICAR is found plain and in archives; what is clean is clean; nothing is left behind") {
    EngineProcess engine;
    engine.start_ready(2);
    const auto found = engine.gate().scan_content(eicar());
    REQUIRE(found);
    CHECK(found->verdict == Verdict::malicious);
    CHECK(std::string(found->threat_name) == "Eicar-Test-Signature");
    CHECK(engine.gate().scan_content(sample("EICAR in a zip"))->verdict == Verdict::malicious);

    engine.file("eicar.com", eicar());
    REQUIRE(sys::run({"tar", "-C", engine.top(), "-czf", engine.top() + "/eicar.tar.gz", "eicar.com"})->ok());
    CHECK(engine.gate().scan(engine.top() + "/eicar.tar.gz")->verdict == Verdict::malicious);
    for (const char* name : {"text", "zip", "jpeg", "pdf", "mail", "noise", "empty file"})
        CHECK(engine.gate().scan_content(sample(name))->verdict == Verdict::clean);
    // Twice an image: the library's threads are there the second time.
    CHECK(engine.gate().scan_content(sample("jpeg"))->verdict == Verdict::clean);
    for (const FakeGate::Connection* worker : engine.gate().workers()) {
        CHECK(worker->hello->signature_count == 6);
        CHECK(std::string(worker->hello->engine_version).size() >= 3);
    }
}

TEST_CASE("the command line's mistakes are told, nobody becomes root") {
    const auto run = [](std::vector<std::string> words) {
        words.insert(words.begin(), PICKET_ENGINE_PROGRAM);
        return sys::run(words);
    };
    CHECK(run({"--bogus"})->exit_status == 2);
    CHECK(run({"--version"})->output.find("libclamav") != std::string::npos);
    if (geteuid() == 0) {
        CHECK(run({"--user", "root"})->exit_status == 1);
        CHECK(run({"--user", "no-such-user"})->error_output.find("no-such-user") != std::string::npos);
    }
}

TEST_CASE("no way out of a worker's sandbox") {
    EngineProcess engine;
    std::vector<std::string> words{PICKET_ENGINE_PROGRAM, "--probe-sandbox", "--temporary-directory",
                                   engine.top() + "/tmp"};
    if (geteuid() == 0)
        words.insert(words.end(), {"--user", "61357"});
    const auto outcome = sys::run(words);
    REQUIRE(outcome);
    const auto report = data::parse_json(outcome->output);
    REQUIRE(report);
    CHECK(data::member(data::member(*report, "layers"), "seccomp") == true);
    CHECK(data::member(*report, "attempts").size() > 30);
    for (const data::Json& attempt : data::member(*report, "attempts")) {
        const std::string name = data::string_or(attempt, "name", "?");
        const bool contained = data::bool_or(attempt, "contained", false);
        CHECK_MESSAGE(contained, name);
    }
    CHECK(outcome->ok());
    CHECK(engine.temporary_entries() == 0);
}

TEST_CASE("a worker that dies on a request is replaced at once, without a reload") {
    EngineProcess engine;
    engine.start_ready(1);
    FakeGate::Connection& worker = engine.gate().worker();
    const pid_t zygote = parent_of(pid_of(worker));
    const UniqueFd fd(open(slow_file(engine).c_str(), O_RDONLY));
    const std::uint64_t id = engine.gate().request(worker, fd.get());
    REQUIRE(id != 0);
    REQUIRE(kill(pid_of(worker), SIGKILL) == 0);
    CHECK(!engine.gate().reply_to(worker, id));
    REQUIRE(engine.gate().wait_for_workers(1, "g1"));
    CHECK(parent_of(pid_of(engine.gate().worker())) == zygote);
    CHECK(finds_eicar(engine));
    CHECK(engine.gate().wait_until([&] { return engine.gate().last_status()->workers_crashed == 1; }));
    CHECK(engine.gate().last_status()->workers_killed == 0);
}

TEST_CASE("a scan past its time is stopped: by the library with an answer, else by force") {
    EngineProcess engine;
    engine.start_ready(1);
    const auto reply = engine.gate().scan(slow_file(engine), 100);
    // The library looks at its clock only between steps; where a step is long, the worker is killed instead.
    if (reply)
        CHECK(reply->verdict == Verdict::limit_exceeded);
    else
        CHECK(engine.gate().wait_until([&] { return engine.gate().last_status()->workers_killed == 1; }));
    CHECK(engine.gate().wait_for_workers(1));
    CHECK(finds_eicar(engine));
}

TEST_CASE("a bomb is no clean file") {
    EngineProcess engine;
    engine.start_ready(1);
    const std::string zeros = engine.file("zeros", "");
    REQUIRE(truncate(zeros.c_str(), 600LL << 20) == 0);
    REQUIRE(sys::run({"gzip", "-1", zeros})->ok());
    const auto reply = engine.gate().scan(zeros + ".gz");
    REQUIRE(reply);
    CHECK(reply->verdict == Verdict::limit_exceeded);
    CHECK(engine.temporary_entries() == 2); // a zygote's directory and in it a worker's, empty
}

TEST_CASE("stopped workers and zygotes are replaced") {
    EngineProcess engine;
    engine.start_ready(2);
    const pid_t first = pid_of(engine.gate().worker());
    REQUIRE(kill(first, SIGSTOP) == 0);
    CHECK(engine.gate().wait_until([&] {
        const auto workers = engine.gate().workers();
        return workers.size() == 2 && pid_of(*workers.front()) != first;
    }));
    CHECK(finds_eicar(engine));
    for (const int signal : {SIGSTOP, SIGKILL}) {
        const pid_t zygote = zygote_of(engine, engine.gate().worker());
        REQUIRE(zygote > 1);
        REQUIRE(kill(zygote, signal) == 0);
        CHECK(engine.gate().wait_until([&] {
            const auto workers = engine.gate().workers();
            return workers.size() == 2 && std::all_of(workers.begin(), workers.end(), [&](const auto* worker) {
                       const pid_t parent = zygote_of(engine, *worker);
                       return parent != 0 && parent != zygote;
                   });
        }));
        CHECK(finds_eicar(engine));
    }
}

TEST_CASE("commands: ping, workers more and fewer, one killed by name") {
    EngineProcess engine;
    engine.start_ready(1);
    engine.gate().command(EngineCommandKind::ping, 0, 7);
    CHECK(engine.gate().answer_to(7)->state == LoadState::ready);
    engine.gate().command(EngineCommandKind::set_workers, 4, 8);
    CHECK(engine.gate().wait_for_workers(4));
    engine.gate().command(EngineCommandKind::set_workers, 2, 9);
    CHECK(engine.gate().wait_for_workers(2));
    const pid_t victim = pid_of(engine.gate().worker());
    engine.gate().command(EngineCommandKind::kill_worker, static_cast<std::uint32_t>(getpid()), 10);
    engine.gate().command(EngineCommandKind::kill_worker, static_cast<std::uint32_t>(victim), 11);
    CHECK(engine.gate().wait_until([&] { return engine.gate().last_status()->workers_killed == 1; }));
    CHECK(engine.gate().wait_for_workers(2));
    CHECK(finds_eicar(engine));
}

TEST_CASE("a worker's share is finite, and no request is lost at its end") {
    EngineProcess engine;
    engine.start_ready(1);
    const auto memory = engine.file("small", "hello\n");
    const UniqueFd fd(open(memory.c_str(), O_RDONLY));
    std::set<pid_t> seen;
    for (int i = 0; i < 2'100; ++i) {
        REQUIRE(engine.gate().wait_for_workers(1));
        FakeGate::Connection& worker = engine.gate().worker();
        seen.insert(pid_of(worker));
        const std::uint64_t id = engine.gate().request(worker, fd.get());
        if (id == 0) { // refused because it ends: another takes it
            REQUIRE(engine.gate().wait_until([&] { return worker.closed; }));
            continue;
        }
        const auto reply = engine.gate().reply_to(worker, id);
        REQUIRE(reply);
        REQUIRE(reply->verdict == Verdict::clean);
    }
    CHECK(seen.size() == 2);
    CHECK(engine.gate().last_status()->workers_crashed == 0);
}

TEST_CASE("200 files of garbage: an answer for each, no crash") {
    EngineProcess engine;
    engine.start_ready(2);
    std::mt19937 random(20261124);
    const std::vector<std::string> heads{"",
                                         "PK\x03\x04",
                                         "%PDF-1.4\n",
                                         "MZ",
                                         "\177ELF",
                                         "\xff\xd8\xff",
                                         "\x1f\x8b\x08",
                                         "Rar!\x1a\x07",
                                         "GIF89a",
                                         "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"};
    for (int i = 0; i < 200; ++i) {
        std::string content = heads[static_cast<std::size_t>(i) % heads.size()];
        const std::size_t size = random() % 20'000;
        while (content.size() < size)
            content.push_back(static_cast<char>(random()));
        const auto reply = engine.gate().scan_content(content);
        REQUIRE(reply);
        CHECK(reply->verdict != Verdict::malicious);
    }
    CHECK(engine.gate().last_status()->workers_crashed == 0);
    CHECK(finds_eicar(engine));
}

TEST_CASE("what is no request costs the connection; what is no file is unreadable") {
    EngineProcess engine;
    engine.start_ready(1);
    const UniqueFd good(open(engine.file("good", "x").c_str(), O_RDONLY));
    const UniqueFd writable(open(engine.file("good", "x").c_str(), O_RDWR));
    const UniqueFd directory(open("/tmp", O_RDONLY | O_DIRECTORY));
    for (const int fd : {writable.get(), directory.get()}) {
        FakeGate::Connection& worker = engine.gate().worker();
        CHECK(engine.gate().reply_to(worker, engine.gate().request(worker, fd))->verdict == Verdict::unreadable);
    }
    scan::ScanRequest request;
    request.id = 1;
    request.time_limit_ms = 1'000;
    scan::ScanRequest lying = request;
    lying.magic = 1;
    const auto bytes = [](const scan::ScanRequest& r) {
        return std::string(reinterpret_cast<const char*>(&r), sizeof r);
    };
    struct Lie {
        std::string content;
        std::vector<int> descriptors;
    };
    const std::vector<Lie> lies{{bytes(request), {}},
                                {bytes(request), {good.get(), good.get()}},
                                {bytes(lying), {good.get()}},
                                {bytes(request).substr(1), {good.get()}},
                                {bytes(request) + "x", {good.get()}},
                                {std::string(100'000, 'x'), {}}};
    for (const Lie& lie : lies) {
        REQUIRE(engine.gate().wait_for_workers(1));
        FakeGate::Connection& worker = engine.gate().worker();
        REQUIRE(ipc::send_message(worker.fd.get(), lie.content, lie.descriptors));
        CHECK(engine.gate().wait_until([&] { return worker.closed; }));
    }
    REQUIRE(engine.gate().wait_for_workers(1));
    CHECK(finds_eicar(engine));
}

TEST_CASE("the end: SIGTERM, status 0, no temporary file") {
    EngineProcess engine;
    engine.start_ready(2);
    REQUIRE(kill(engine.pid(), SIGTERM) == 0);
    CHECK(engine.wait_for_end() == 0);
    CHECK(engine.temporary_entries() == 0);
}

TEST_CASE("a gate that comes back finds the engine loaded; with --once it ends instead") {
    EngineProcess engine;
    engine.start_ready(2);
    const pid_t zygote = parent_of(pid_of(engine.gate().worker()));
    engine.renew_gate();
    REQUIRE(engine.gate().wait_for_workers(2, "g1"));
    CHECK(parent_of(pid_of(engine.gate().worker())) == zygote);
    CHECK(engine.gate().wait_for_state(LoadState::ready, "g1"));
    CHECK(finds_eicar(engine));

    EngineProcess once;
    once.start_ready(1, {"--once"});
    once.gate().vanish();
    CHECK(once.wait_for_end() == 0);
}

TEST_CASE("four workers share one copy of the definitions" * doctest::test_suite("bench")) {
    for (const unsigned workers : {1U, 4U}) {
        EngineProcess engine;
        std::string many;
        for (unsigned i = 0; i < 300'000; ++i)
            many += fmt::format("{:032x}:{}:Test.{}\n", i * 2654435761ULL + 1, 1'000 + i % 5'000, i);
        engine.install("g1", "many.hdb", many);
        engine.make_current("g1");
        engine.start({"--workers", std::to_string(workers)});
        REQUIRE(engine.gate().wait_for_workers(workers));
        for (const FakeGate::Connection* worker : engine.gate().workers()) {
            (void)worker;
            REQUIRE(finds_eicar(engine));
        }
        std::uint64_t total = proportional_set_kib(engine.pid());
        total += proportional_set_kib(parent_of(pid_of(engine.gate().worker())));
        for (const FakeGate::Connection* worker : engine.gate().workers())
            total += proportional_set_kib(pid_of(*worker));
        MESSAGE("PSS with " << workers << " workers: " << total << " KiB");
    }
}
