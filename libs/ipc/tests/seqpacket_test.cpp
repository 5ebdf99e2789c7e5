#include "support.h"

#include <picket/ipc/file_socket.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace picket;
using namespace picket::ipc;

namespace {

mode_t mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

std::pair<UniqueFd, UniqueFd> pair() {
    auto made = make_pair();
    REQUIRE(made);
    return std::move(*made);
}

} // namespace

TEST_CASE("a message arrives whole, with its descriptors, close-on-exec") {
    auto [here, there] = pair();
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(send_message(here.get(), "hello", {null.get(), null.get()}));
    auto message = receive_message(there.get());
    REQUIRE(message);
    CHECK(message->content == "hello");
    REQUIRE(message->descriptors.size() == 2);
    for (const UniqueFd& fd : message->descriptors)
        CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("content is taken where it brings no descriptors; else it can be looked at, and stays") {
    auto [here, there] = pair();
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(send_message(here.get(), "without"));
    REQUIRE(send_message(here.get(), "with", {null.get()}));
    const std::size_t before = open_descriptors();
    CHECK_FALSE(peek_content(there.get())->has_descriptors);
    CHECK(receive_content(there.get()).value() == "without");
    for (int i = 0; i < 2; ++i) {
        const auto seen = peek_content(there.get());
        REQUIRE(seen);
        CHECK(seen->text == "with");
        CHECK(seen->has_descriptors);
        const auto refused = receive_content(there.get());
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code() == ErrorCode::invalid_input);
    }
    CHECK(open_descriptors() == before);
    CHECK(peek_content(there.get(), Bytes{2}).error().code() == ErrorCode::invalid_input);
}

TEST_CASE("a socket that may hold files goes to the disposer") {
    static int disposed = 0;
    auto [here, there] = pair();
    const int number = here.get();
    FileSocket::set_disposer([](UniqueFd socket) { disposed = socket.get(); });
    {
        FileSocket socket(std::move(here));
        const FileSocket moved = std::move(socket);
        CHECK(moved.get() == number);
        CHECK(disposed == 0);
    }
    CHECK(disposed == number);
    FileSocket::set_disposer(nullptr);
    { const FileSocket socket(std::move(there)); }
    CHECK(disposed == number);
}

TEST_CASE("nothing waits: unavailable with EAGAIN; the peer is gone: not_found") {
    auto [here, there] = pair();
    const auto none = receive_message(there.get());
    REQUIRE_FALSE(none);
    CHECK(none.error().code() == ErrorCode::unavailable);
    CHECK(none.error().errno_value() == EAGAIN);
    here.reset();
    const auto gone = receive_message(there.get());
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code() == ErrorCode::not_found);
    const auto sent = send_message(there.get(), "x");
    REQUIRE_FALSE(sent);
    CHECK(sent.error().errno_value() == EPIPE);
}

TEST_CASE("a peer that does not read: unavailable, not a block") {
    auto [here, there] = pair();
    const std::string text(50'000, 'x');
    Result<void> sent;
    for (int i = 0; i < 1'000 && sent; ++i)
        sent = send_message(here.get(), text);
    REQUIRE_FALSE(sent);
    CHECK(sent.error().code() == ErrorCode::unavailable);
    CHECK(sent.error().errno_value() == EAGAIN);
}

TEST_CASE("a message over the limit is consumed, its descriptors closed, and the next one arrives") {
    auto [here, there] = pair();
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::size_t before = open_descriptors();
    REQUIRE(send_message(here.get(), std::string(5'000, 'x'), {null.get(), null.get()}));
    REQUIRE(send_message(here.get(), "next"));
    const auto refused = receive_message(there.get(), Bytes{1'000});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == ErrorCode::invalid_input);
    CHECK(open_descriptors() == before);
    const auto next = receive_message(there.get(), Bytes{1'000});
    REQUIRE(next);
    CHECK(next->content == "next");
}

TEST_CASE("more descriptors than allowed are refused on both sides, and none stays open") {
    auto [here, there] = pair();
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::vector<int> many(kMaximumDescriptors + 1, null.get());
    CHECK_FALSE(send_message(here.get(), "x", many));

    // A peer with a sendmsg of its own is not bound by ours.
    alignas(cmsghdr) char control[CMSG_SPACE((kMaximumDescriptors + 1) * sizeof(int))] = {};
    char byte = 'x';
    iovec part{&byte, 1};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(many.size() * sizeof(int));
    std::copy(many.begin(), many.end(), reinterpret_cast<int*>(CMSG_DATA(rights)));
    const std::size_t before = open_descriptors();
    REQUIRE(::sendmsg(here.get(), &header, 0) == 1);
    const auto refused = receive_message(there.get());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == ErrorCode::invalid_input);
    CHECK(open_descriptors() == before);
}

TEST_CASE("listen_at: mode in force, a dead socket is replaced, a living one is not") {
    const TemporaryDirectory directory;
    const std::string path = directory.path + "/s";
    const mode_t old_mask = ::umask(0077);
    auto first = listen_at(path, 0666);
    ::umask(old_mask);
    REQUIRE(first);
    CHECK(mode_of(path) == 0666);
    const auto second = listen_at(path, 0600);
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == ErrorCode::conflict);
    CHECK(mode_of(path) == 0666);
    first->reset();
    CHECK(listen_at(path, 0600));
    CHECK(mode_of(path) == 0600);
}

TEST_CASE("a bound path is gone when its file is, or another is in its place") {
    const TemporaryDirectory directory;
    const std::string path = directory.path + "/s";
    const UniqueFd first = listen_at(path, 0600).value();
    const BoundPath bound(path);
    CHECK(bound.is_there());
    REQUIRE(unlink(path.c_str()) == 0);
    CHECK_FALSE(bound.is_there());
    const UniqueFd second = listen_at(path, 0600).value();
    CHECK_FALSE(bound.is_there());
    CHECK_FALSE(BoundPath(directory.path + "/never").is_there());
}

TEST_CASE("listen_at replaces nothing but a socket, and nothing where others may write") {
    const TemporaryDirectory directory;
    const std::string file = directory.path + "/file";
    ::close(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    const auto over_file = listen_at(file, 0600);
    REQUIRE_FALSE(over_file);
    CHECK(over_file.error().message().find("not a socket") != std::string::npos);

    const std::string left = directory.path + "/left";
    { CHECK(listen_at(left, 0600)); }
    REQUIRE(::chmod(directory.path.c_str(), 0777) == 0);
    const auto shared = listen_at(left, 0600);
    REQUIRE_FALSE(shared);
    CHECK(shared.error().code() == ErrorCode::conflict);
}

TEST_CASE("connect_to: not there, nobody listens, wrong kind, never an abstract name") {
    const TemporaryDirectory directory;
    const auto missing = connect_to(directory.path + "/none");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code() == ErrorCode::not_found);
    const std::string dead = directory.path + "/dead";
    { CHECK(listen_at(dead, 0600)); }
    const auto nobody = connect_to(dead);
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code() == ErrorCode::unavailable);
    CHECK_FALSE(connect_to(std::string("\0abstract", 9)));
    CHECK_FALSE(connect_to(""));
    CHECK_FALSE(connect_to("/" + std::string(200, 'x')));
}

TEST_CASE("peer_of says who connected") {
    const TemporaryDirectory directory;
    auto listening = listen_at(directory.path + "/s", 0600);
    REQUIRE(listening);
    const auto nobody = accept_one(listening->get());
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code() == ErrorCode::unavailable);
    const auto client = connect_to(directory.path + "/s");
    REQUIRE(client);
    REQUIRE(wait_readable(listening->get(), kPatience));
    const auto accepted = accept_one(listening->get());
    REQUIRE(accepted);
    const auto peer = peer_of(accepted->get());
    REQUIRE(peer);
    CHECK(peer->pid == ::getpid());
    CHECK(peer->uid == ::geteuid());
}

TEST_CASE("wait_readable ends at its timeout") {
    auto [here, there] = pair();
    CHECK_FALSE(wait_readable(here.get(), 10));
    REQUIRE(send_message(there.get(), "x"));
    CHECK(wait_readable(here.get(), kPatience));
    CHECK(wait_writable(here.get(), kPatience));
}

TEST_CASE("peek_descriptor: the file stays where it is, for the next one too") {
    auto [here, there] = pair();
    CHECK_FALSE(peek_descriptor(here.get()));
    const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(send_message(there.get(), "f", {file.get()}));
    there.reset();
    for (int i = 0; i < 2; ++i) {
        const auto found = peek_descriptor(here.get());
        REQUIRE(found);
        CHECK(::fcntl(found->get(), F_GETFD) == FD_CLOEXEC);
    }
    auto [other, sender] = pair();
    REQUIRE(send_message(sender.get(), "none"));
    CHECK(peek_descriptor(other.get()).error().code() == ErrorCode::invalid_input);
}
