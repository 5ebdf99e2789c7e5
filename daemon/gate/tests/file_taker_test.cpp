#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <picket/ipc/seqpacket.h>

#include "file_taker.h"

using namespace picket;
using namespace picket::daemon;

namespace {

UniqueFd memory_with(const std::string& content) {
    UniqueFd fd(memfd_create("taken", MFD_CLOEXEC));
    REQUIRE(fd);
    REQUIRE(write(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    return fd;
}

struct Office {
    Office() : errands(std::move(*Errands::start())), taker(errands, clock) {}

    /// As the control socket leaves a request: its descriptors wait in the connection.
    std::optional<Result<watch::EventFile>> take(const std::vector<int>& descriptors) {
        auto ends = ipc::make_pair();
        REQUIRE(ends);
        REQUIRE(ipc::send_message(ends->first.get(), "request", descriptors));
        std::optional<Result<watch::EventFile>> taken;
        taker.take(std::move(ends->second), 1000,
                   [&](Result<watch::EventFile> file) { taken.emplace(std::move(file)); });
        for (int i = 0; i < 100 && !taken; ++i) {
            (void)ipc::wait_readable(taker.fd(), 100);
            taker.on_readable();
        }
        return taken;
    }

    SystemClock clock;
    Errands errands;
    FileTaker taker;
};

} // namespace

TEST_CASE("a file that a client hands in arrives for reading only") {
    Office office;
    const UniqueFd file = memory_with("content");
    for (int i = 0; i < 40; ++i) { // more than a user may have at once
        const auto taken = office.take({file.get()});
        REQUIRE(taken);
        REQUIRE(*taken);
        CHECK((fcntl((*taken)->fd(), F_GETFL) & O_ACCMODE) == O_RDONLY);
        char content[8] = {};
        CHECK(pread((*taken)->fd(), content, sizeof content, 0) == 7);
    }
}

TEST_CASE("what is no regular file that is open for reading is refused, and so are none and two") {
    Office office;
    const UniqueFd path(open("/dev/null", O_PATH | O_CLOEXEC));
    const UniqueFd directory(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd file = memory_with("content");
    for (const auto& descriptors :
         std::vector<std::vector<int>>{{path.get()}, {directory.get()}, {}, {file.get(), file.get()}}) {
        const auto taken = office.take(descriptors);
        REQUIRE(taken);
        REQUIRE_FALSE(*taken);
        CHECK(taken->error().code() == ErrorCode::invalid_input);
    }
}

TEST_CASE("the digest of a file that is put away") {
    const Office office;
    const auto away = watch::EventFile::put_away(memory_with("abc"));
    REQUIRE(away);
    const auto digest = office.errands.digest_of(*away);
    REQUIRE(digest);
    CHECK((*digest)[0] == 0xba);
    CHECK((*digest)[31] == 0xad);
}

TEST_CASE("a walk hands over every file below, each once") {
    std::string name = "/tmp/picket-errand-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    REQUIRE(mkdir((name + "/d").c_str(), 0700) == 0);
    for (const char* const file : {"/a", "/d/b", "/d/c"}) {
        const UniqueFd made(open((name + file).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        REQUIRE(write(made.get(), "x", 1) == 1);
    }
    const Office office;
    const UniqueFd parent(open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto errand =
        office.errands.begin(Errands::Kind::walk, parent.get(), {name.substr(name.rfind('/') + 1), "/d/b"});
    REQUIRE(errand);
    std::string found;
    for (;;) {
        REQUIRE(ipc::wait_readable(errand->get(), 10'000));
        const auto message = ipc::receive_message(errand->get());
        REQUIRE(message);
        if (message->content.front() == Errands::kWalker) {
            REQUIRE(ipc::send_message(errand->get(), "go"));
            continue;
        }
        if (message->content.front() == Errands::kWalks)
            continue;
        found += message->content + " ";
        if (message->content.front() == Errands::kWalkedAll)
            break;
        CHECK(message->descriptors.size() == 2);
    }
    CHECK(found == "f/d/b f/d/c e0 ");
    REQUIRE(system(("rm -r " + name).c_str()) == 0);
}
