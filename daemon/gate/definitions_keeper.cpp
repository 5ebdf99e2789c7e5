#include "definitions_keeper.h"

#include <future>
#include <sys/prctl.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/random.h>
#include <picket/ipc/file_socket.h>
#include <picket/ipc/seqpacket.h>

#include "host_identity.h"
#include "log.h"
#include "mirror_state.h"
#include "rpc_failure.h"

namespace picket::daemon {
namespace {

using data::Json;
using ipc::RpcResult;

constexpr std::chrono::seconds kLookEvery{20};
constexpr std::chrono::hours kAnswerWithin{6};   ///< of picket-definitions: large files over a slow line
constexpr std::chrono::minutes kTrialWithin{12}; ///< longer than the engine gives a load
constexpr int kPollMs = 500;
constexpr std::int64_t kRetryTrial = 300;
constexpr std::size_t kMostOrders = 16;

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

double random_spread() {
    const ByteVector bytes = crypto::random_bytes(2);
    return ((std::uint32_t{bytes[0]} << 8) + bytes[1]) / 65'536.0;
}

RpcResult failed(const std::string& message, const std::string& fix = "see docs/operations.md") {
    return fail("failed", message, fix);
}

} // namespace

DefinitionsKeeper::DefinitionsKeeper(Ports ports) : ports_(std::move(ports)), spread_(random_spread()) {}

void DefinitionsKeeper::start() {
    started_ = seconds_of(ports_.clock.wall());
    thread_ = std::thread([this] { run(); });
    test_thread_ = std::thread([this] { run_tests(); });
}

void DefinitionsKeeper::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread* thread : {&thread_, &test_thread_})
        if (thread->joinable())
            thread->join();
}

bool DefinitionsKeeper::stopping() const {
    std::lock_guard lock(mutex_);
    return stopping_;
}

RpcResult DefinitionsKeeper::ask(Order order, const ipc::RpcReply& reply) {
    {
        std::lock_guard lock(mutex_);
        Orders& orders = order == Order::connectivity ? tests_ : orders_;
        if (stopping_ || orders.size() >= kMostOrders)
            return fail("unavailable", "too many requests about definitions wait already", "try again");
        orders.push_back({order, reply});
    }
    wake_.notify_all();
    return RpcResult::later();
}

std::optional<DefinitionsKeeper::Waiting> DefinitionsKeeper::wait_for_order(Orders& orders) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kLookEvery, [&] { return stopping_ || !orders.empty(); });
    if (stopping_ || orders.empty())
        return std::nullopt;
    Waiting waiting = std::move(orders.front());
    orders.pop_front();
    return waiting;
}

void DefinitionsKeeper::run() {
    prctl(PR_SET_NAME, "picket-defs");
    while (!stopping()) {
        const auto waiting = wait_for_order(orders_);
        try {
            if (waiting)
                waiting->reply(carry_out(waiting->order));
            if (!stopping() && is_due()) // also where somebody asks for the status all the time
                (void)update(ports_.policy.policy()->definitions_minimum_age);
        } catch (const std::exception& error) { // e.g. out of memory: again another time
            log(LogLevel::error, fmt::format("definitions: {}", error.what()));
        }
    }
}

void DefinitionsKeeper::run_tests() {
    prctl(PR_SET_NAME, "picket-tests");
    while (!stopping()) {
        try {
            if (const auto waiting = wait_for_order(tests_))
                waiting->reply(carry_out(waiting->order));
        } catch (const std::exception& error) {
            log(LogLevel::error, fmt::format("test of connections: {}", error.what()));
        }
    }
}

bool DefinitionsKeeper::is_due() {
    if (read_host_identity(ports_.root).definitions_url.empty())
        return false;
    const std::int64_t now = seconds_of(ports_.clock.wall());
    if (retry_at_ != 0 && now >= retry_at_)
        return true;
    return now >= next_look(read_mirror_state(ports_.root), started_, now, spread_,
                            ports_.policy.policy()->definitions_interval,
                            ports_.policy.policy()->definitions_minimum_age);
}

RpcResult DefinitionsKeeper::carry_out(Order order) {
    switch (order) {
    case Order::update:
        return update(ports_.policy.policy()->definitions_minimum_age);
    case Order::update_now:
        return update(std::chrono::seconds(0));
    case Order::rollback:
        return rollback();
    case Order::connectivity:
        return test_connections();
    case Order::status:
        break;
    }
    auto status = request({{"op", "status"}});
    if (!status)
        return {Json(), ipc::rpc_error_from(status.error())};
    status->erase("ok");
    return {std::move(*status), {}};
}

RpcResult DefinitionsKeeper::test_connections() const {
    const auto answer = request({{"op", "connectivity"}});
    if (!answer)
        return {Json(), ipc::rpc_error_from(answer.error())};
    return {data::member(*answer, "report"), {}};
}

RpcResult DefinitionsKeeper::update(std::chrono::seconds minimum_age) {
    retry_at_ = 0;
    auto outcome = request({{"op", "prepare"}, {"minimum_age_seconds", minimum_age.count()}});
    if (!outcome) {
        retry_at_ = seconds_of(ports_.clock.wall()) + kRetryTrial;
        return {Json(), ipc::rpc_error_from(outcome.error())};
    }
    const std::string status = data::string_or(*outcome, "status", "");
    if (status == "failed")
        return report_failure(*outcome);
    if (status == "refused")
        return failed("what the mirror offers was refused before: " + data::string_or(*outcome, "message", ""),
                      "a newer set is taken again");
    if (status == "held")
        return report_held(*outcome);
    const std::string generation = data::string_or(*outcome, "generation", "");
    if (status == "candidate")
        if (const auto done = put_in_force(generation, true); !done)
            return {Json(), ipc::rpc_error_from(done.error())};
    return {Json{{"changed", status == "candidate"},
                 {"generation", generation},
                 {"version", data::integer_or(*outcome, "version", 0)},
                 {"received_bytes", data::integer_or(*outcome, "received", 0)}},
            {}};
}

RpcResult DefinitionsKeeper::report_held(const Json& outcome) const {
    Json held = data::member(outcome, "held");
    held["message"] = fmt::format("version {} is held until {} (definitions.minimumAgeSeconds): picket definitions "
                                  "update --now takes it at once",
                                  data::integer_or(held, "version", 0), data::string_or(held, "until", ""));
    return {Json{{"changed", false},
                 {"generation", data::string_or(outcome, "generation", "")},
                 {"version", data::member(outcome, "version")},
                 {"received_bytes", data::integer_or(outcome, "received", 0)},
                 {"held", std::move(held)}},
            {}};
}

RpcResult DefinitionsKeeper::report_failure(const Json& outcome) {
    const std::string message = data::string_or(outcome, "message", "");
    const std::string reason = data::string_or(outcome, "reason", "");
    if (data::bool_or(outcome, "news", false) && reason != "definitions_no_mirror")
        record(EventType::definitions_update_failed, reason, message);
    return failed(message, fmt::format("{}: see docs/operations.md", reason));
}

RpcResult DefinitionsKeeper::rollback() {
    const auto outcome = request({{"op", "prepare_rollback"}});
    if (!outcome)
        return {Json(), ipc::rpc_error_from(outcome.error())};
    const std::string generation = data::string_or(*outcome, "generation", "");
    if (data::string_or(*outcome, "status", "") != "candidate")
        return failed(data::string_or(*outcome, "message", ""), "picket definitions status");
    if (const auto done = put_in_force(generation, false); !done)
        return {Json(), ipc::rpc_error_from(done.error())};
    record(EventType::definitions_rolled_back, "definitions_rolled_back", generation);
    return {Json{{"changed", true}, {"generation", generation}}, {}};
}

/// First the engine, then `current`: what that cannot work with never comes into force.
Result<void> DefinitionsKeeper::put_in_force(const std::string& generation, bool is_new) {
    ports_.approve_files();
    const Trial trial = try_candidate();
    if (!trial.answered) {
        retry_at_ = seconds_of(ports_.clock.wall()) + kRetryTrial;
        return Error(ErrorCode::unavailable, "there is no engine that could try the definitions: " + trial.message);
    }
    const bool taken = trial.definitions == generation;
    const auto noted = request(taken ? Json{{"op", "commit"}, {"generation", generation}}
                                     : Json{{"op", "refuse"}, {"generation", generation}, {"message", trial.message}});
    if (!taken && is_new)
        record(EventType::definitions_refused, "definitions_refused", trial.message);
    // Where the engine and `current` differ now, `current` counts.
    if (!taken || !noted)
        ports_.gate.post([](gate::Gate&, EngineLink& engine) { engine.request_reload(); });
    if (!taken)
        return Error(ErrorCode::conflict, "the engine refused the definitions: " + trial.message);
    if (!noted)
        return noted.error();
    return {};
}

DefinitionsKeeper::Trial DefinitionsKeeper::try_candidate() const {
    auto promise = std::make_shared<std::promise<Trial>>();
    auto future = promise->get_future();
    ports_.gate.post([promise](gate::Gate&, EngineLink& engine) {
        engine.try_candidate([promise](const std::string& definitions, const std::string& message, bool answered) {
            promise->set_value({definitions, message, answered});
        });
    });
    const MonotonicTime deadline = ports_.clock.monotonic() + kTrialWithin;
    while (future.wait_for(Milliseconds(kPollMs)) != std::future_status::ready)
        if (stopping() || ports_.clock.monotonic() > deadline)
            return {"", "it does not answer", false};
    return future.get();
}

Result<Json> DefinitionsKeeper::request(const Json& request) const {
    auto connected = ipc::connect_to(ports_.socket);
    if (!connected)
        return Error(ErrorCode::unavailable, "picket-definitions cannot be reached: " + connected.error().message());
    const ipc::FileSocket connection(std::move(*connected));
    PICKET_TRY(ipc::send_message(connection.get(), data::to_text(request)));
    const MonotonicTime deadline = ports_.clock.monotonic() + kAnswerWithin;
    while (!ipc::wait_readable(connection.get(), kPollMs))
        if (stopping() || ports_.clock.monotonic() > deadline)
            return Error(ErrorCode::unavailable, "picket-definitions did not answer in time");
    const auto message = ipc::receive_content(connection.get());
    if (!message)
        return Error(ErrorCode::unavailable, "picket-definitions ended before it answered");
    Json answer = PICKET_TRY(data::parse_json(*message));
    if (!data::bool_or(answer, "ok", false))
        return Error(ErrorCode::internal, data::string_or(data::member(answer, "error"), "message", "no reason given"));
    return answer;
}

void DefinitionsKeeper::record(EventType type, const std::string& reason, const std::string& message) {
    Event event;
    event.type = type;
    event.reason = reason;
    event.message = message;
    ports_.aftermath.record(std::move(event));
}

} // namespace picket::daemon
