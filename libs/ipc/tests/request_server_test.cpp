#include <atomic>
#include <future>
#include <sys/eventfd.h>
#include <unistd.h>

#include <picket/ipc/request_server.h>

#include "support.h"

using namespace picket;
using namespace picket::ipc;

namespace {

/// "slow" waits until it is let go; everything else is answered with itself.
class Server {
  public:
    explicit Server(std::size_t at_once, std::optional<Milliseconds> idle = std::nullopt) : stop_(eventfd(0, 0)) {
        RequestServerOptions options{.allowed_uids = {geteuid()}, .idle = idle, .at_once = at_once};
        auto listening = listen_at(socket(), 0600);
        REQUIRE(listening);
        server_.emplace(
            std::move(*listening), stop_.get(), clock_,
            [this](const Message& message, int) {
                if (message.content == "slow") {
                    slow_.store(true);
                    let_go.get_future().wait();
                }
                return message.content;
            },
            options);
        run = std::async(std::launch::async, [this] { server_->run(); });
    }
    UniqueFd ask(const std::string& text) const {
        auto connection = connect_to(socket());
        REQUIRE(connection);
        REQUIRE(send_message(connection->get(), text));
        return std::move(*connection);
    }
    void wait_for_slow() const {
        while (!slow_.load())
            std::this_thread::yield();
    }
    void stop() const { REQUIRE(eventfd_write(stop_.get(), 1) == 0); }

    std::promise<void> let_go;
    std::future<void> run;

  private:
    std::string socket() const { return directory_.path + "/requests.sock"; }
    TemporaryDirectory directory_;
    SystemClock clock_;
    UniqueFd stop_;
    std::atomic<bool> slow_{false};
    std::optional<RequestServer> server_;
};

std::string answer(const UniqueFd& connection) {
    const auto message = receive_within(connection.get());
    return message ? message->content : message.error().message();
}

} // namespace

TEST_CASE("with several at once nobody waits for a slow request of somebody else") {
    Server server(2);
    const UniqueFd slow = server.ask("slow");
    server.wait_for_slow();
    for (int i = 0; i < 100; ++i)
        REQUIRE(answer(server.ask("quick")) == "quick");
    CHECK_FALSE(wait_readable(slow.get(), 0));
    server.let_go.set_value();
    CHECK(answer(slow) == "slow");
    REQUIRE(send_message(slow.get(), "again")); // the connection goes on
    CHECK(answer(slow) == "again");
    server.stop();
    server.run.get();
}

TEST_CASE("with one at a time the next waits, and is answered") {
    Server server(1);
    const UniqueFd slow = server.ask("slow");
    server.wait_for_slow();
    const UniqueFd next = server.ask("next");
    CHECK_FALSE(wait_readable(next.get(), 50));
    server.let_go.set_value();
    CHECK(answer(slow) == "slow");
    CHECK(answer(next) == "next");
    server.stop();
    server.run.get();
}

TEST_CASE("a stop lets what is at hand be answered, and a slow request is no idle time") {
    Server server(2, Milliseconds(20));
    const UniqueFd slow = server.ask("slow");
    server.wait_for_slow();
    CHECK(server.run.wait_for(Milliseconds(200)) == std::future_status::timeout);
    server.stop();
    CHECK(server.run.wait_for(Milliseconds(50)) == std::future_status::timeout);
    server.let_go.set_value();
    CHECK(answer(slow) == "slow");
    server.run.get();
}
