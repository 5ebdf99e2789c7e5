#include <doctest/doctest.h>

#include <unistd.h>

#include <picket/archive/reader.h>
#include <picket/archive/testing/raw_archive.h>
#include <picket/archive/writer.h>
#include <picket/base/unique_fd.h>
#include <picket/sys/file.h>

using namespace picket;
using namespace picket::archive;
using namespace picket::archive::testing;

namespace {

Result<std::vector<Entry>> read_bytes(std::string_view bytes, Format format = Format::zip, const Limits& limits = {}) {
    const UniqueFd file = sys::memory_file(bytes).value();
    return read_into_memory(file.get(), format, limits);
}

void check_refused(std::string_view bytes, Format format, std::string_view reason, const Limits& limits = {}) {
    const auto result = read_bytes(bytes, format, limits);
    CAPTURE(reason);
    REQUIRE_FALSE(result);
    CHECK_MESSAGE(result.error().message().find(reason) != std::string::npos, result.error().message());
}

std::string written(Format format) {
    const UniqueFd file = sys::memory_file("").value();
    Writer writer = Writer::create(file.get(), format).value();
    const UniqueFd source = sys::memory_file(std::string(300'000, 'x')).value();
    REQUIRE(writer.add("first.txt", "one"));
    REQUIRE(writer.add_file("directory/second.bin", source.get()));
    REQUIRE(writer.add("empty", ""));
    REQUIRE(writer.finish());
    REQUIRE(lseek(file.get(), 0, SEEK_SET) == 0);
    return sys::read_all(file.get(), mebibytes(1)).value();
}

} // namespace

TEST_CASE("what the writer writes the reader reads, in order") {
    for (const Format format : {Format::zip, Format::tar_gz}) {
        const auto entries = read_bytes(written(format), format);
        REQUIRE_MESSAGE(entries, (entries ? "" : entries.error().message()));
        REQUIRE(entries->size() == 3);
        CHECK((*entries)[0].name == "first.txt");
        CHECK((*entries)[0].content == "one");
        CHECK((*entries)[1].name == "directory/second.bin");
        CHECK((*entries)[1].content == std::string(300'000, 'x'));
        CHECK((*entries)[2].content.empty());
    }
}

TEST_CASE("equal input gives an equal tar.gz") {
    CHECK(written(Format::tar_gz) == written(Format::tar_gz));
}

TEST_CASE("the hand-made archives of these tests are sound by themselves") {
    const std::vector<RawEntry> entries{{"a", "one"}, {"b/c", "two"}};
    CHECK(read_bytes(raw_zip(entries)).value().size() == 2);
    CHECK(read_bytes(raw_gzip(raw_tar(entries)), Format::tar_gz).value().size() == 2);
    const auto directory = read_bytes(raw_zip({{"d/", "", 0040755}, {"d/a", "one"}}));
    REQUIRE(directory);
    CHECK(directory->size() == 1);
}

TEST_CASE("names that lead elsewhere refuse the archive") {
    for (const char* name : {"../escape", "a/../../escape", "/etc/passwd", "a//b", "./a", "a\\b", "a\nb", "a/.", "..",
                             "-rf", "\xc3\xa4"}) {
        CAPTURE(name);
        const auto zip = read_bytes(raw_zip({{name, "x"}}));
        CHECK((!zip || (*zip)[0].name == "a/b")); // libarchive itself takes a zip's backslash for a slash
        CHECK_FALSE(read_bytes(raw_gzip(raw_tar({{name, "x"}})), Format::tar_gz));
    }
    CHECK_FALSE(read_bytes(raw_zip({{std::string(201, 'a'), "x"}})));
    CHECK_FALSE(read_bytes(raw_zip({{"../d/", "", 0040755}})));
}

TEST_CASE("links and devices refuse the archive") {
    check_refused(raw_zip({{"link", "/etc/passwd", 0120777}}), Format::zip, "link");
    struct Row {
        char kind;
        const char* link;
    };
    for (const Row& row : {Row{'1', "other"}, Row{'2', "/etc/passwd"}, Row{'3', ""}, Row{'4', ""}, Row{'6', ""}}) {
        RawEntry entry{"entry", ""};
        entry.tar_kind = row.kind;
        entry.link = row.link;
        CAPTURE(row.kind);
        CHECK_FALSE(read_bytes(raw_gzip(raw_tar({entry})), Format::tar_gz));
    }
}

TEST_CASE("a name twice refuses the archive") {
    check_refused(raw_zip({{"a", "one"}, {"a", "two"}}), Format::zip, "twice");
    check_refused(raw_gzip(raw_tar({{"a", "one"}, {"a", "two"}})), Format::tar_gz, "twice");
}

TEST_CASE("ten gigabytes of zeros end at the limit") {
    constexpr std::uint64_t kTen = 10'000'000'000;
    RawEntry bomb{"zeros", deflated_zeros(kTen), 0100644, 8, 0xffff'fffe};
    const std::string zip = raw_zip({bomb});
    CHECK(zip.size() < (16U << 20));
    check_refused(zip, Format::zip, "unpacks to more than 8.0 MiB");
    Limits wide;
    wide.entry = gibibytes(100);
    check_refused(zip, Format::zip, "unpacks to more than 32.0 MiB", wide);

    RawEntry claimed{"zeros", ""};
    claimed.unpacked = 8'000'000'000;
    const std::string header = raw_tar({claimed}).substr(0, 512);
    check_refused(raw_gzip_bomb(header, kTen), Format::tar_gz, "unpacks to more than 8.0 MiB");
    CHECK(read_bytes(raw_gzip_bomb("", kTen), Format::tar_gz).value_or(std::vector<Entry>(1)).empty());
}

TEST_CASE("a small file that unpacks to a hundred times its size ends at the ratio") {
    Limits wide;
    wide.entry = gibibytes(1);
    wide.total = gibibytes(1);
    RawEntry bomb{"zeros", deflated_zeros(50'000'000), 0100644, 8, 50'000'000};
    check_refused(raw_zip({bomb}), Format::zip, "unpacks to more than 4.", wide);
}

TEST_CASE("a million entries end at the limit") {
    std::vector<RawEntry> entries;
    for (int i = 0; i < 1'000'000; ++i)
        entries.push_back({std::to_string(i), ""});
    const std::string zip = raw_zip(entries);
    check_refused(zip, Format::zip, "the file is larger than");
    entries.resize(150'000);
    check_refused(raw_zip(entries), Format::zip, "more than 256 entries");
    entries.resize(300);
    check_refused(raw_gzip(raw_tar(entries)), Format::tar_gz, "more than 256 entries");
}

TEST_CASE("what is no archive, cut or encrypted is refused") {
    CHECK_FALSE(read_bytes(""));
    CHECK_FALSE(read_bytes("not an archive at all"));
    CHECK_FALSE(read_bytes(written(Format::zip), Format::tar_gz));
    const std::string zip = written(Format::zip);
    for (const std::size_t size : {std::size_t{1}, zip.size() / 2, zip.size() - 1})
        CHECK_FALSE(read_bytes(zip.substr(0, size)));
    RawEntry encrypted{"a", "twelve bytes and more"};
    encrypted.flags = 1;
    CHECK_FALSE(read_bytes(raw_zip({encrypted})));
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const UniqueFd input(ends[0]);
    const UniqueFd output(ends[1]);
    CHECK(read_into_memory(input.get(), Format::zip, {}).error().message() == "not a regular file");
}

TEST_CASE("changed content is found by the archive's own checksum") {
    std::string zip = raw_zip({{"a", "content"}});
    zip[zip.find("content")] = 'C';
    CHECK_FALSE(read_bytes(zip));
}

TEST_CASE("the writer refuses names that the reader would") {
    const UniqueFd file = sys::memory_file("").value();
    Writer writer = Writer::create(file.get(), Format::zip).value();
    CHECK(writer.add("../a", "x").error().code() == ErrorCode::invalid_input);
}
