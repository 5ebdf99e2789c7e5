#include "engine_process.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/definitions/store.h>
#include <picket/sys/file.h>

#include "worker.h"

namespace picket::engine::testing {
namespace {

namespace fs = std::filesystem;
constexpr const char* kUnusedUser = "61357";

std::string content_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

EngineProcess::EngineProcess() {
    REQUIRE(mkdtemp(top_.data()) != nullptr);
    REQUIRE(chmod(top_.c_str(), 0755) == 0);
    gate_ = std::make_unique<FakeGate>(top_ + "/engine.sock");
}

EngineProcess::~EngineProcess() {
    if (pid_ > 0) {
        kill(pid_, SIGTERM);
        if (wait_for_end() == -1) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    fs::remove_all(top_);
}

void EngineProcess::renew_gate() {
    gate_->vanish();
    gate_ = std::make_unique<FakeGate>(top_ + "/engine.sock");
}

void EngineProcess::install(const std::string& generation, const std::string& extra_name, const std::string& extra) {
    auto root = sys::Root::open("/");
    REQUIRE(root);
    std::vector<definitions::InputFile> files;
    for (const char* name : {"picket-base.hdb", "picket-base.hsb", "picket-base.ndb"})
        files.push_back({name, -1, content_of(std::string(PICKET_SOURCE_DIR "/packaging/definitions/") + name)});
    if (!extra_name.empty())
        files.push_back({extra_name, -1, extra});
    const auto installed =
        definitions::Store(*root, top_ + "/definitions").install(generation, files, "test", WallTime{});
    REQUIRE_MESSAGE(installed, (installed ? "" : installed.error().message()));
}

void EngineProcess::make_current(const std::string& generation) {
    auto root = sys::Root::open("/");
    REQUIRE(root);
    REQUIRE(definitions::Store(*root, top_ + "/definitions").make_current(generation));
}

void EngineProcess::make_candidate(const std::string& generation) {
    auto root = sys::Root::open("/");
    REQUIRE(root);
    REQUIRE(definitions::Store(*root, top_ + "/definitions").set_candidate(generation));
}

void EngineProcess::start(const std::vector<std::string>& more_options) {
    std::vector<std::string> words{
        PICKET_ENGINE_PROGRAM,   "--socket",   top_ + "/engine.sock", "--definitions", top_ + "/definitions",
        "--temporary-directory", top_ + "/tmp"};
    if (geteuid() == 0)
        words.insert(words.end(), {"--user", kUnusedUser});
    words.insert(words.end(), more_options.begin(), more_options.end());
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
        execv(PICKET_ENGINE_PROGRAM, arguments.data());
        _exit(127);
    }
    REQUIRE(pid_ > 0);
}

void EngineProcess::start_ready(unsigned workers, const std::vector<std::string>& more_options) {
    install("g1");
    make_current("g1");
    std::vector<std::string> options{"--workers", std::to_string(workers)};
    options.insert(options.end(), more_options.begin(), more_options.end());
    start(options);
    REQUIRE(gate().wait_for_workers(workers));
    REQUIRE(gate().wait_for_state(scan::LoadState::ready, "g1"));
}

int EngineProcess::wait_for_end() {
    const std::int64_t deadline = monotonic_ms() + 20'000;
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) {
        if (monotonic_ms() > deadline)
            return -1;
        usleep(5'000);
    }
    pid_ = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string EngineProcess::file(const std::string& name, const std::string& content) const {
    std::ofstream(top_ + "/" + name, std::ios::binary) << content;
    return top_ + "/" + name;
}

std::size_t EngineProcess::temporary_entries() const {
    std::error_code ignored;
    const fs::recursive_directory_iterator entries(top_ + "/tmp", ignored);
    return static_cast<std::size_t>(std::distance(fs::begin(entries), fs::end(entries)));
}

std::string eicar() {
    return std::string(R"(X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-)") + "ANTIVIRUS-TEST-FILE!$H+H*";
}

pid_t parent_of(pid_t pid) {
    const auto text = sys::read_kernel_file(fmt::format("/proc/{}/stat", pid));
    if (!text)
        return 0;
    const auto fields = split(std::string_view(*text).substr(text->rfind(')') + 2), ' ');
    return fields.size() > 1 ? static_cast<pid_t>(parse_unsigned(fields[1]).value_or(0)) : 0;
}

std::uint64_t proportional_set_kib(pid_t pid) {
    const auto text = sys::read_kernel_file(fmt::format("/proc/{}/smaps_rollup", pid));
    if (!text)
        return 0;
    for (const std::string_view line : split(*text, '\n'))
        if (line.starts_with("Pss:")) {
            const std::string_view value = trim(line.substr(4));
            return parse_unsigned(value.substr(0, value.find(' '))).value_or(0);
        }
    return 0;
}

} // namespace picket::engine::testing
