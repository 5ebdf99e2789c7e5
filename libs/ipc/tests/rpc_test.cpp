#include "support.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <future>
#include <mutex>
#include <set>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace picket;
using namespace picket::ipc;

namespace {

RpcResult failure(std::string name, std::string message) {
    return {nullptr, RpcError{std::move(name), std::move(message), "do so"}};
}

/// echo answers its parameters; big answers a text of that many bytes; anything else is unknown.
RpcResult echo(RpcRequest& request) {
    if (request.method == "echo")
        return {request.parameters, std::nullopt};
    if (request.method == "big")
        return {std::string(static_cast<std::size_t>(data::integer_or(request.parameters, "bytes", 0)), 'x'),
                std::nullopt};
    if (request.method == "quotes") { // doubles when it is quoted, and has sequences that must not be cut
        std::string text;
        for (int i = 0; i < 100'000; ++i)
            text += "\"ä\\";
        return {text, std::nullopt};
    }
    if (request.method == "throw")
        throw std::runtime_error("handler trouble");
    if (request.method == "descriptors")
        return {request.descriptors.size(), std::nullopt};
    return failure("usage", "unknown method");
}

void expect_answered(const RunningServer& server) {
    auto client = server.client();
    const auto answer = client.call("echo", {{"a", 1}});
    REQUIRE(answer);
    CHECK_FALSE(answer->error);
    CHECK(answer->value == data::Json{{"a", 1}});
}

/// Sends `text` as a foreign client would; what comes back, or nothing where the connection was closed.
std::optional<data::Json> exchange(int fd, std::string_view text) {
    REQUIRE(send_message(fd, text));
    auto answer = receive_within(fd);
    if (!answer)
        return std::nullopt;
    auto json = data::parse_json(answer->content);
    REQUIRE(json);
    return std::move(*json);
}

bool is_closed(int fd) {
    const auto next = receive_within(fd);
    return !next && next.error().code() == ErrorCode::not_found;
}

} // namespace

TEST_CASE("a call is answered; an error carries name, message and fix") {
    const RunningServer server(echo);
    expect_answered(server);
    auto client = server.client();
    const auto unknown = client.call("no.such.method");
    REQUIRE(unknown);
    REQUIRE(unknown->error);
    CHECK(unknown->error->name == "usage");
    CHECK(unknown->error->message == "unknown method");
    CHECK(unknown->error->fix == "do so");
}

TEST_CASE("a handler that throws answers failed, and the server lives") {
    const RunningServer server(echo);
    auto client = server.client();
    const auto answer = client.call("throw");
    REQUIRE(answer);
    REQUIRE(answer->error);
    CHECK(answer->error->name == "failed");
    expect_answered(server);
}

TEST_CASE("an answer larger than a message arrives whole") {
    const RunningServer server(echo);
    constexpr Milliseconds kLong{300'000}; // a sanitizer on a busy machine writes 40 MB slowly
    auto client = server.client();
    const auto big = client.call("big", {{"bytes", 1'500'000}}, {}, kLong);
    REQUIRE(big);
    REQUIRE(big->value.is_string());
    CHECK(big->value.get_ref<const std::string&>().size() == 1'500'000);
    const auto quotes = client.call("quotes", data::Json::object(), {}, kLong);
    REQUIRE(quotes);
    CHECK(quotes->value.get_ref<const std::string&>().size() == 400'000);
    const auto too_big = client.call("big", {{"bytes", 40'000'000}}, {}, kLong);
    REQUIRE(too_big);
    REQUIRE(too_big->error);
    CHECK(too_big->error->message.find("larger than") != std::string::npos);
    CHECK(client.call("echo")); // the connection is still in step
}

TEST_CASE("bad messages: an error where there is an id, the connection otherwise; the others are answered") {
    const RunningServer server(echo);
    struct Row {
        std::string text;
        bool keeps_connection;
    };
    const std::vector<Row> rows = {
        {"junk", false},
        {std::string("\0\xff\xfe\x01", 4), false},
        {"[]", false},
        {R"([{"jsonrpc":"2.0","id":1,"method":"echo"}])", false},
        {R"("text")", false},
        {R"({"jsonrpc":"2.0","method":5})", false},
        {R"({"jsonrpc":"2.0","id":{},"method":"echo"})", false},
        {R"({"jsonrpc":"2.0","id":1,"id":2,"method":"echo"})", false},
        {std::string(40'000, '['), false},
        {R"({"jsonrpc":"1.0","id":1,"method":"echo"})", true},
        {R"({"jsonrpc":"2.0","id":1})", true},
        {R"({"jsonrpc":"2.0","id":1,"method":"echo","params":[1]})", true},
        {R"({"jsonrpc":"2.0","id":"a","method":"nope"})", true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text.substr(0, 60));
        const UniqueFd client = server.raw_client();
        const auto answer = exchange(client.get(), row.text);
        REQUIRE(answer);
        CHECK(data::string_or(data::member(data::member(*answer, "error"), "data"), "name", "") == "usage");
        if (row.keeps_connection)
            CHECK(exchange(client.get(), R"({"jsonrpc":"2.0","id":7,"method":"echo"})"));
        else
            CHECK(is_closed(client.get()));
        expect_answered(server);
    }
}

TEST_CASE("an empty message costs its sender the connection") {
    const RunningServer server(echo);
    const UniqueFd client = server.raw_client();
    REQUIRE(::send(client.get(), "", 0, MSG_NOSIGNAL) == 0);
    CHECK(is_closed(client.get()));
    expect_answered(server);
}

TEST_CASE("a message of 10 MB, or one that just passes the limit, is refused with its descriptors closed") {
    const RunningServer server(echo);
    const std::size_t before = open_descriptors();
    for (const std::size_t bytes : {10'000'000UL, 3'000'000UL, 1'100'000UL}) {
        const UniqueFd client = server.raw_client();
        const int size = 32 << 20;
        // Root may pass the system's limit; where we may not, the kernel already refuses what does not fit.
        ::setsockopt(client.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
        const std::string text(bytes, 'x');
        if (::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0) {
            const auto answer = receive_within(client.get());
            REQUIRE(answer);
            CHECK(answer->content.find("at most 1.0 MiB") != std::string::npos);
            CHECK(is_closed(client.get()));
        } else {
            CHECK((errno == EMSGSIZE || errno == ENOBUFS));
        }
        expect_answered(server);
    }
    CHECK(open_descriptors() <= before + 1);
}

TEST_CASE("a deferred request is answered from another thread; meanwhile the others are, and its client's next waits") {
    std::promise<RpcReply> taken;
    const RunningServer server([&](RpcRequest& request) -> RpcResult {
        if (request.method == "later") {
            taken.set_value(request.reply);
            return RpcResult::later();
        }
        return {request.parameters, std::nullopt};
    });
    const UniqueFd waiting = server.raw_client();
    REQUIRE(send_message(waiting.get(), R"({"jsonrpc":"2.0","id":1,"method":"later"})"));
    REQUIRE(send_message(waiting.get(), R"({"jsonrpc":"2.0","id":2,"method":"echo"})"));
    RpcReply reply = taken.get_future().get();
    expect_answered(server);
    std::thread([&] { reply({"done", std::nullopt}); }).join();
    reply({"twice", std::nullopt});
    const auto first = receive_within(waiting.get());
    REQUIRE(first);
    CHECK(data::parse_json(first->content).value() == data::Json{{"jsonrpc", "2.0"}, {"id", 1}, {"result", "done"}});
    const auto second = receive_within(waiting.get());
    REQUIRE(second);
    CHECK(data::integer_or(data::parse_json(second->content).value(), "id", 0) == 2);
}

TEST_CASE("a deferred request that is forgotten is answered with failed; one whose client left hurts nobody") {
    std::promise<RpcReply> taken;
    const RunningServer server([&](RpcRequest& request) -> RpcResult {
        if (request.method == "keep")
            taken.set_value(request.reply);
        return request.method == "echo" ? RpcResult{request.parameters, std::nullopt} : RpcResult::later();
    });
    auto client = server.client();
    const auto forgotten = client.call("forget");
    REQUIRE(forgotten);
    REQUIRE(forgotten->error);
    CHECK(forgotten->error->name == "failed");
    RpcReply reply;
    {
        const UniqueFd leaver = server.raw_client();
        REQUIRE(send_message(leaver.get(), R"({"jsonrpc":"2.0","id":1,"method":"keep"})"));
        reply = taken.get_future().get();
    }
    expect_answered(server);
    reply({"too late", std::nullopt});
    expect_answered(server);
}

TEST_CASE("descriptors of refused and of answered messages are closed") {
    const RunningServer server(echo, {.descriptors_of = [](const RpcRequest& request) {
                                   return request.method == "descriptors" ? RpcDescriptors::taken
                                                                          : RpcDescriptors::dropped;
                               }});
    expect_answered(server);
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    auto client = server.client();
    const std::size_t before = open_descriptors();
    const std::vector<int> descriptors(kMaximumDescriptors, null.get());
    for (int i = 0; i < 20; ++i) {
        const auto answer = client.call("descriptors", data::Json::object(), descriptors);
        REQUIRE(answer);
        CHECK(answer->value == kMaximumDescriptors);
    }
    CHECK(open_descriptors() <= before + 1); // the server's end of this connection, or of the first
    for (int i = 0; i < 20; ++i) {
        const UniqueFd bad = server.raw_client();
        REQUIRE(send_message(bad.get(), R"({"jsonrpc":"2.0","id":1,"method":7})", descriptors));
        REQUIRE(receive_within(bad.get()));
    }
    for (int i = 0; i < 20; ++i) {
        const UniqueFd bad = server.raw_client();
        REQUIRE(send_message(bad.get(), "junk", descriptors));
        REQUIRE(receive_within(bad.get()));
        CHECK(is_closed(bad.get()));
    }
    // The server closes its ends in order; once the last newcomer is answered, at most that one's end is open.
    expect_answered(server);
    expect_answered(server);
    CHECK(open_descriptors() <= before + 2);
}

TEST_CASE("descriptors that no method asked for never become the server's, and their sender is answered and goes") {
    const RunningServer server([](RpcRequest& request) -> RpcResult {
        return {request.descriptors.size(), std::nullopt};
    });
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const UniqueFd client = server.raw_client();
    REQUIRE(send_message(client.get(), R"({"jsonrpc":"2.0","id":1,"method":"any"})", {null.get()}));
    const auto answer = receive_within(client.get());
    REQUIRE(answer);
    CHECK(data::parse_json(answer->content).value().at("result") == 0);
    CHECK(is_closed(client.get()));
}

TEST_CASE("a request whose descriptors are left is the handler's to take; where it fails the client goes") {
    const RunningServer server(
        [](RpcRequest& request) -> RpcResult {
            if (request.method == "fails")
                return {nullptr, RpcError{"unavailable", "not now", ""}};
            if (!request.connection)
                return {"plain", std::nullopt};
            const auto message = receive_message(request.connection.get());
            return {message ? message->descriptors.size() : 0, std::nullopt};
        },
        {.descriptors_of = [](const RpcRequest&) { return RpcDescriptors::left; }});
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const UniqueFd client = server.raw_client();
    const auto result_of = [&] {
        const auto answer = receive_within(client.get());
        REQUIRE(answer);
        return data::parse_json(answer->content).value();
    };
    REQUIRE(send_message(client.get(), R"({"jsonrpc":"2.0","id":1,"method":"takes"})", {null.get()}));
    REQUIRE(send_message(client.get(), R"({"jsonrpc":"2.0","id":2,"method":"other"})"));
    REQUIRE(send_message(client.get(), R"({"jsonrpc":"2.0","id":3,"method":"fails"})", {null.get()}));
    CHECK(result_of().at("result") == 1);
    CHECK(result_of().at("result") == "plain");
    CHECK(result_of().at("error").at("message") == "not now");
    CHECK(is_closed(client.get()));
}

TEST_CASE("200 clients at once are all answered") {
    const RunningServer server(echo, {.maximum_clients = 250, .maximum_clients_per_user = 250});
    std::vector<RpcClient> clients;
    for (int i = 0; i < 200; ++i)
        clients.push_back(server.client());
    for (std::size_t i = 0; i < clients.size(); ++i) {
        const auto answer = clients[i].call("echo", {{"n", i}});
        REQUIRE(answer);
        CHECK(answer->value == data::Json{{"n", i}});
    }
}

TEST_CASE("over the limit the newest is told so, and a place that is given up is free again") {
    const RunningServer server(echo, {.maximum_clients = 3});
    std::vector<RpcClient> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(server.client());
        REQUIRE(clients.back().call("echo"));
    }
    auto newest = server.client();
    const auto refused = newest.call("echo");
    REQUIRE(refused);
    REQUIRE(refused->error);
    CHECK(refused->error->name == "unavailable");
    CHECK(refused->error->message.find("too many clients") != std::string::npos);
    CHECK(clients.front().call("echo"));
    clients.pop_back();
    bool admitted = false;
    for (int attempt = 0; attempt < 1'000 && !admitted; ++attempt) {
        auto again = server.client();
        const auto answer = again.call("echo");
        admitted = answer && !answer->error;
    }
    CHECK(admitted);
}

TEST_CASE("one that never reads: the others are answered, and its own requests wait") {
    const RunningServer server(echo);
    const UniqueFd deaf = server.raw_client();
    const std::string request = R"({"jsonrpc":"2.0","id":1,"method":"big","params":{"bytes":900000}})";
    Result<void> sent;
    int count = 0;
    for (; count < 100'000 && sent; ++count)
        sent = send_message(deaf.get(), request);
    REQUIRE_FALSE(sent); // the server has stopped taking more from it
    CHECK(sent.error().errno_value() == EAGAIN);
    for (int i = 0; i < 10; ++i)
        expect_answered(server);
}

TEST_CASE("notifications come from any thread; those that came during a call are kept") {
    std::mutex mutex;
    std::weak_ptr<RpcPeer> follower;
    std::promise<void> registered;
    const RunningServer server([&](RpcRequest& request) -> RpcResult {
        if (request.method == "follow") {
            const std::lock_guard lock(mutex);
            follower = request.peer;
            REQUIRE(request.peer.lock()->notify("early", {{"n", 0}}));
            registered.set_value();
        }
        return {data::Json::object(), std::nullopt};
    });
    auto client = server.client();
    REQUIRE(client.call("follow"));
    registered.get_future().wait();
    std::thread other([&] {
        const std::lock_guard lock(mutex);
        for (int i = 1; i <= 3; ++i)
            if (const auto peer = follower.lock())
                peer->notify("late", {{"n", i}});
    });
    other.join();
    for (int i = 0; i <= 3; ++i) {
        const auto notification = client.wait_notification(Milliseconds(kPatience));
        REQUIRE(notification);
        REQUIRE(notification->has_value());
        CHECK((*notification)->method == (i == 0 ? "early" : "late"));
        CHECK((*notification)->parameters == data::Json{{"n", i}});
    }
    const auto none = client.wait_notification(Milliseconds(10));
    REQUIRE(none);
    CHECK_FALSE(none->has_value());
}

TEST_CASE("a follower that does not read loses notifications, then its connection") {
    std::promise<std::weak_ptr<RpcPeer>> follower;
    const RunningServer server(
        [&](RpcRequest& request) -> RpcResult {
            if (request.method == "follow")
                follower.set_value(request.peer);
            return {request.parameters, std::nullopt};
        },
        {.maximum_queue_messages = 8});
    auto client = server.client();
    REQUIRE(client.call("follow"));
    const std::weak_ptr<RpcPeer> weak = follower.get_future().get();
    bool refused = false;
    bool gone = false;
    const data::Json text = std::string(100'000, 'x');
    const auto end = SystemClock().monotonic() + Milliseconds(kPatience);
    while (!gone && SystemClock().monotonic() < end) {
        const auto peer = weak.lock();
        gone = !peer;
        if (peer && !peer->notify("event", {{"text", text}}))
            refused = true;
    }
    CHECK(refused);
    CHECK(gone);
    CHECK_FALSE(server.client().call("echo", {{"a", 1}}).value().error);
}

TEST_CASE("an idle client is let go") {
    const RunningServer server(echo, {.idle_timeout = Milliseconds(50)});
    const UniqueFd idle = server.raw_client();
    CHECK(is_closed(idle.get()));
}

TEST_CASE("stop() ends run() with clients connected; they are told by the close") {
    std::optional<RpcClient> client;
    {
        const RunningServer server(echo);
        client = server.client();
        REQUIRE(client->call("echo"));
    }
    const auto answer = client->call("echo");
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code() == ErrorCode::unavailable);
}

TEST_CASE("a daemon that does not answer: unavailable after the timeout, and a late answer is not taken for the next") {
    std::promise<void> release;
    auto released = release.get_future().share();
    const RunningServer server([released](RpcRequest& request) -> RpcResult {
        if (request.method == "slow")
            released.wait();
        return {request.method, std::nullopt};
    });
    auto client = server.client();
    const auto slow = client.call("slow", data::Json::object(), {}, Milliseconds(20));
    REQUIRE_FALSE(slow);
    CHECK(slow.error().code() == ErrorCode::unavailable);
    release.set_value();
    const auto next = client.call("next");
    REQUIRE(next);
    CHECK(next->value == "next");
}

TEST_CASE("rpc_error_from: the caller's fault, ours, and the host's are told apart") {
    CHECK(rpc_error_from(Error(ErrorCode::invalid_input, "x")).name == "usage");
    CHECK(rpc_error_from(Error(ErrorCode::not_found, "x")).name == "not_found");
    CHECK(rpc_error_from(Error(ErrorCode::exhausted, "x")).name == "unavailable");
    CHECK(rpc_error_from(Error(ErrorCode::permission, "x")).name == "needs_root");
    CHECK(rpc_error_from(Error::from_errno(EROFS, "x")).name == "failed");
    CHECK(rpc_error_from(Error(ErrorCode::internal, "x")).name == "failed");
}

TEST_CASE("parse_request: a notification has no id") {
    const auto parsed = parse_request(R"({"jsonrpc":"2.0","method":"hello"})");
    REQUIRE(parsed.request);
    CHECK(parsed.request->method == "hello");
    CHECK(parsed.request->parameters == data::Json::object());
    CHECK(parsed.id.is_null());
    CHECK_FALSE(parsed.error);
}
