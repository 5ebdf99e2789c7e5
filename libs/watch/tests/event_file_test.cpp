#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/ipc/seqpacket.h>
#include <picket/watch/event_file.h>

namespace picket::watch {
namespace {

UniqueFd file_with(const char* content) {
    std::string name = fmt::format("{}/event-file-XXXXXX", P_tmpdir);
    UniqueFd file(mkstemp(name.data()));
    REQUIRE(file);
    REQUIRE(unlink(name.c_str()) == 0);
    REQUIRE(write(file.get(), content, 4) == 4);
    return file;
}

std::string content_of(int fd) {
    char content[4] = {};
    return {content, static_cast<std::size_t>(std::max<ssize_t>(0, pread(fd, content, sizeof content, 0)))};
}

} // namespace

TEST_CASE("a file that is put away can be looked at, not read, until it is taken out") {
    auto away = EventFile::put_away(file_with("text"));
    REQUIRE(away);
    CHECK(away->is_put_away());
    CHECK(content_of(away->fd()).empty());
    struct stat status {};
    CHECK(fstat(away->fd(), &status) == 0);
    CHECK(status.st_size == 4);
    const auto reader = ipc::peek_descriptor(away->to_hand_on());
    REQUIRE(reader);
    CHECK(content_of(reader->get()) == "text");
    const EventFile copy = away->duplicate();
    *away = EventFile();
    const auto later = ipc::peek_descriptor(copy.to_hand_on());
    REQUIRE(later);
    CHECK(content_of(later->get()) == "text");
}

TEST_CASE("a file as it is is handed on itself") {
    EventFile plain(file_with("text"));
    CHECK_FALSE(plain.is_put_away());
    CHECK(plain.to_hand_on() == plain.fd());
    const EventFile copy = plain.duplicate();
    CHECK(copy.fd() != plain.fd());
    CHECK(content_of(copy.fd()) == "text");
}

TEST_CASE("what is open for writing is opened once more for reading") {
    UniqueFd file = file_with("text");
    REQUIRE(make_read_only(file));
    CHECK((fcntl(file.get(), F_GETFL) & O_ACCMODE) == O_RDONLY);
    CHECK(content_of(file.get()) == "text");
    const int same = file.get();
    REQUIRE(make_read_only(file));
    CHECK(file.get() == same);
}

} // namespace picket::watch
