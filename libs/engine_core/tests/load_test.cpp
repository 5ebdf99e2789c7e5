#include <picket/engine_core/sample_corpus.h>

#include <csignal>
#include <map>
#include <sys/stat.h>
#include <sys/wait.h>

#include <picket/base/text.h>
#include <picket/crypto/digest.h>

#include "engine_fixture.h"

using namespace picket;
using namespace picket::engine_core;

namespace {

/// What check_samples says, from a child: scanning starts threads, and this process forks again.
std::string check_in_child(const EngineFixture& fixture) {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    if (child == 0) {
        auto engine = fixture.load();
        const auto checked =
            engine ? check_samples(*engine, open_own_files(), [](const std::string&) {}) : Result<void>(engine.error());
        const std::string answer = checked ? "right" : checked.error().message();
        _exit(write(ends[1], answer.data(), answer.size()) > 0 ? 0 : 1);
    }
    close(ends[1]);
    std::string answer(4096, '\0');
    const ssize_t got = read(ends[0], answer.data(), answer.size());
    close(ends[0]);
    waitpid(child, nullptr, 0);
    answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return answer;
}

} // namespace

TEST_CASE("definitions that do not load are named, with what libclamav says of them") {
    EngineFixture fixture;
    fixture.definitions("broken.ndb", "this is no signature\n");
    const auto engine = fixture.load();
    REQUIRE(!engine);
    CHECK(engine.error().code() == ErrorCode::corrupt);
    CHECK(engine.error().message().find("broken.ndb") != std::string::npos);
}

TEST_CASE("nothing in it is no set of definitions") {
    EngineFixture fixture;
    CHECK(!fixture.load());
    fixture.definitions("empty.ndb", "");
    CHECK(!fixture.load());
}

TEST_CASE("unsigned bytecode is not loaded, a forged container neither") {
    EngineFixture fixture;
    fixture.definitions("forged.cvd", "ClamAV-VDB:01 Jan 2026 00-00 +0000:1:1:90:" + std::string(32, 'a') +
                                          ":sig:me:1" + std::string(400, ' ') + "x");
    CHECK(!fixture.load());
}

TEST_CASE("the sample corpus passes with the base definitions") {
    EngineFixture fixture;
    fixture.base_definitions();
    CHECK(check_in_child(fixture) == "right");
}

TEST_CASE("definitions that miss EICAR or condemn what is clean are refused, and the sample is named") {
    EngineFixture blind;
    blind.definitions("other.ndb", "Other:0:*:0102030405060708\n");
    CHECK(check_in_child(blind).find("'EICAR'") != std::string::npos);

    EngineFixture trigger_happy;
    trigger_happy.base_definitions();
    trigger_happy.definitions("bad.ndb", "False.Alarm:0:*:717569636b2062726f776e\n"); // "quick brown"
    CHECK(check_in_child(trigger_happy).find("False.Alarm") != std::string::npos);

    EngineFixture condemns_libc;
    condemns_libc.base_definitions();
    condemns_libc.definitions("libc.ndb", "False.Libc:0:*:474e552043204c696272617279\n"); // "GNU C Library"
    const std::string answer = check_in_child(condemns_libc);
    CHECK_MESSAGE(answer.find("False.Libc") != std::string::npos, answer);
}

TEST_CASE("definitions that condemn any one of the files that a host starts with are refused, and the file is named") {
    std::map<std::string, std::pair<std::string, off_t>> files; ///< by digest: the first name, and the size
    for (const TrustedFile& file : open_own_files()) {
        const bool other_library =
            file.name.find(".so") != std::string::npos && file.name.find("/libc.so") == std::string::npos;
        const auto digest = crypto::sha256_of(file.fd.get(), gibibytes(1));
        struct stat status {};
        REQUIRE((digest && fstat(file.fd.get(), &status) == 0));
        if (!other_library) // one stands for all of them
            files.emplace(to_hex(digest->sha256), std::pair(file.name, status.st_size));
    }
    REQUIRE(files.size() >= 3); // a shell, ourselves and the C library; systemd and sshd where they are installed
    for (const auto& [digest, file] : files) {
        EngineFixture fixture;
        fixture.base_definitions();
        fixture.definitions("own.hsb", digest + ":" + std::to_string(file.second) + ":False.Own:73\n");
        const std::string answer = check_in_child(fixture);
        CHECK_MESSAGE(answer.find("'" + file.first + "' False.Own") != std::string::npos, answer);
    }
}
