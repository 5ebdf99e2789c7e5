#include <array>
#include <sys/stat.h>

#include "engine_fixture.h"
#include <picket/scan/engine_protocol.h>

using namespace picket;
using namespace picket::engine_core;

namespace {

constexpr std::uint32_t kArchives = scan::kScanArchives;

std::string hex(std::string_view text) {
    std::string out;
    for (const char c : text) {
        constexpr char kDigits[] = "0123456789abcdef";
        out += {kDigits[static_cast<unsigned char>(c) >> 4], kDigits[c & 15]};
    }
    return out;
}

} // namespace

TEST_CASE("EICAR is found by its name, in memory and by descriptor, wherever the descriptor's offset is") {
    EngineFixture fixture;
    fixture.base_definitions();
    Engine engine = fixture.loaded();
    CHECK(engine.signature_count() == 6);
    const Finding finding = engine.scan_memory(as_bytes(eicar()), kArchives, Milliseconds(5'000));
    CHECK(finding.verdict == Verdict::malicious);
    CHECK(finding.threat_name == "Eicar-Test-Signature");

    const UniqueFd fd(open(fixture.file(eicar()).c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(lseek(fd.get(), 60, SEEK_SET) == 60);
    CHECK(engine.scan(fd.get(), kArchives, Milliseconds(5'000)).verdict == Verdict::malicious);
    CHECK(lseek(fd.get(), 0, SEEK_CUR) == 60);
}

TEST_CASE("a signature in a file larger than what is read into memory is found") {
    EngineFixture fixture;
    fixture.definitions("a.ndb", "Test.Body:0:*:" + hex("a very particular string") + "\n");
    Engine engine = fixture.loaded();
    const std::string filler(3 << 20, 'x');
    CHECK(scan_path(engine, fixture.file(filler + "a very particular string")).threat_name == "Test.Body");
    CHECK(scan_path(engine, fixture.file(filler)).verdict == Verdict::clean);
    CHECK(scan_path(engine, fixture.file(filler.substr(0, (1 << 20) - 24) + "a very particular string")).verdict ==
          Verdict::malicious);
}

TEST_CASE("what is no regular readable file is unreadable") {
    EngineFixture fixture;
    fixture.base_definitions();
    Engine engine = fixture.loaded();
    std::array<int, 2> pipe_ends{};
    REQUIRE(pipe(pipe_ends.data()) == 0);
    const UniqueFd read_end(pipe_ends[0]), write_end(pipe_ends[1]);
    const UniqueFd directory(open("/tmp", O_RDONLY | O_DIRECTORY));
    const UniqueFd write_only(open(fixture.file("x").c_str(), O_WRONLY));
    const UniqueFd path_only(open(fixture.file("x").c_str(), O_PATH));
    for (const int fd : {read_end.get(), directory.get(), write_only.get(), path_only.get(), -1})
        CHECK(engine.scan(fd, kArchives, Milliseconds(5'000)).verdict == Verdict::unreadable);
}

TEST_CASE("limits are limits, never clean") {
    EngineFixture fixture;
    fixture.base_definitions();
    Engine engine = fixture.loaded();
    const auto sparse = [&](off_t size) {
        std::string path = fixture.file("");
        REQUIRE(truncate(path.c_str(), size) == 0);
        return path;
    };
    // Too large; too long (the clock is checked between steps, so it needs a file that takes some).
    CHECK(scan_path(engine, sparse(3LL << 30)).verdict == Verdict::limit_exceeded);
    CHECK(scan_path(engine, sparse(200LL << 20), kArchives, Milliseconds(1)).verdict == Verdict::limit_exceeded);
    CHECK(fixture.left_nothing());
}

TEST_CASE("what the administrator may not want is not reported unless asked for, and hides nothing") {
    EngineFixture fixture;
    fixture.base_definitions();
    fixture.definitions("pua.ndb", "PUA.Tool.Test:0:*:" + hex("unwanted tool") + "\n");
    fixture.definitions("z.ndb", "Real.Bad:0:*:" + hex("really bad thing") + "\n");
    Engine engine = fixture.loaded();
    const std::uint32_t with_unwanted = kArchives | scan::kScanPotentiallyUnwanted;
    const std::string unwanted = fixture.file("an unwanted tool\n");
    CHECK(scan_path(engine, unwanted).verdict == Verdict::clean);
    const Finding found = scan_path(engine, unwanted, with_unwanted);
    CHECK(found.verdict == Verdict::potentially_unwanted);
    CHECK(found.threat_name == "PUA.Tool.Test");

    const std::string both = fixture.file("an unwanted tool and a really bad thing\n");
    for (const std::uint32_t flags : {kArchives, with_unwanted})
        CHECK(scan_path(engine, both, flags).threat_name == "Real.Bad");
}

TEST_CASE("every file of Debian's clamav-testfiles is found by the base definitions") {
    const std::filesystem::path folder("/usr/share/clamav-testfiles");
    if (!std::filesystem::exists(folder)) {
        MESSAGE("skipped: clamav-testfiles is not installed");
        return;
    }
    EngineFixture fixture;
    fixture.base_definitions();
    Engine engine = fixture.loaded();
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        CAPTURE(entry.path().string());
        if (entry.path().extension() == ".rar") // unpacked only where the unrar module is installed
            continue;
        CHECK(scan_path(engine, entry.path()).threat_name == "ClamAV-Test-File");
    }
    CHECK(fixture.left_nothing());
}

TEST_CASE("an archive is not opened unless asked for") {
    const std::string zip = "/usr/share/clamav-testfiles/clam.zip";
    if (!std::filesystem::exists(zip)) {
        MESSAGE("skipped: clamav-testfiles is not installed");
        return;
    }
    EngineFixture fixture;
    fixture.base_definitions();
    Engine engine = fixture.loaded();
    CHECK(scan_path(engine, zip, 0).verdict == Verdict::clean);
    CHECK(scan_path(engine, zip, kArchives).verdict == Verdict::malicious);
}
