#include <cerrno>
#include <cstring>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/command_line/interrupt.h>
#include <picket/model/test_pattern.h>
#include <picket/sys/file.h>

#include "context.h"
#include "selftest_file.h"
#include "session.h"

namespace picket::cli {
namespace {

using command_line::Colour;
using command_line::Failure;

constexpr Milliseconds kQuarantinePatience{10'000};
constexpr Milliseconds kPoll{50};

enum class StepStatus { passed, failed, not_applicable };

class Steps {
  public:
    bool add(std::string_view name, StepStatus status, std::string detail) {
        const bool ok = status != StepStatus::failed;
        passed_ = passed_ && ok;
        steps_.push_back({{"name", name}, {"status", name_of(status)}, {"detail", std::move(detail)}});
        return ok;
    }
    bool check(std::string_view name, bool ok, std::string detail) {
        return add(name, ok ? StepStatus::passed : StepStatus::failed, std::move(detail));
    }
    bool passed() const { return passed_; }
    const data::Json& json() const { return steps_; }

  private:
    static std::string_view name_of(StepStatus status) {
        switch (status) {
        case StepStatus::passed:
            return "passed";
        case StepStatus::failed:
            return "failed";
        case StepStatus::not_applicable:
            return "not_applicable";
        }
        return "failed";
    }
    data::Json steps_ = data::Json::array();
    bool passed_ = true;
};

class SelfTest {
  public:
    SelfTest(const Context& context, Session& session) : context_(context), session_(session) {}

    std::optional<Failure> run() {
        const auto health = session_.call("health");
        if (!health)
            return health.failure;
        level_ = data::string_or(*health.value, "enforcement_level", "unknown");
        if (level_ == "real_time" || level_ == "audit")
            return with_real_time();
        steps_.add("real_time", StepStatus::not_applicable,
                   fmt::format("the enforcement level is {}: opens are not held", level_));
        return engine_alone();
    }
    int report() const {
        const data::Json result = {
            {"passed", steps_.passed()}, {"enforcement_level", level_}, {"steps", steps_.json()}};
        if (context_.json())
            command_line::print(command_line::envelope(context_.row.kind, result));
        else
            command_line::print(text_of(result));
        return static_cast<int>(steps_.passed() ? CliExit::done : CliExit::failed);
    }

  private:
    static std::string text_of(const data::Json& result) {
        const auto terminal = command_line::Terminal::of(stdout);
        std::string text;
        for (const data::Json& step : data::member(result, "steps")) {
            const std::string status = data::string_or(step, "status", "");
            const Colour colour = status == "passed"   ? Colour::green
                                  : status == "failed" ? Colour::red
                                                       : Colour::yellow;
            text += fmt::format("{}{}  {:<16} {}\n", command_line::paint(status, colour, terminal),
                                std::string(14 - std::min<std::size_t>(14, status.size()), ' '),
                                command_line::value_text(step, "name"), command_line::value_text(step, "detail"));
        }
        return text + fmt::format("self-test {} ({})\n", data::bool_or(result, "passed", false) ? "passed" : "failed",
                                  command_line::value_text(result, "enforcement_level"));
    }

    std::optional<Failure> with_real_time() {
        auto file = TestFile::create(directory());
        if (!file)
            return failed_step("prepare", file.error());
        // Before there is content: afterwards the open would be denied.
        const auto reader = file->open_reader();
        if (!reader)
            return failed_step("prepare", reader.error());
        if (const auto begun = session_.call("selftest.begin", data::Json::object(), {reader->get()}); !begun)
            return begun.failure;
        if (const auto filled = file->fill(); !filled)
            return failed_step("prepare", filled.error());
        steps_.add("prepare", StepStatus::passed, "a harmless test file is open for writing");
        open_while_written(*file);
        file->close_writer();
        if (auto failure = level_ == "audit" ? expect_report() : expect_quarantine(*file))
            return failure;
        file->remove();
        steps_.check("cleanup", !file->exists(),
                     file->exists() ? "the test file could not be removed" : "nothing is left");
        return std::nullopt;
    }

    std::string directory() const {
        return context_.has("--directory") ? command_line::absolute_path(context_.get("--directory")) : "";
    }

    std::optional<Failure> failed_step(std::string_view name, const Error& error) {
        steps_.add(name, StepStatus::failed, error.message());
        return std::nullopt;
    }

    void open_while_written(const TestFile& file) {
        const std::optional<int> outcome = file.opened_by_another();
        const std::string said = !outcome        ? "no answer within 15 s"
                                 : *outcome == 0 ? std::string("another process could open and read it")
                                                 : fmt::format("another process got: {}", std::strerror(*outcome));
        if (level_ == "audit")
            steps_.check("open_allowed", outcome == 0, said);
        else
            steps_.check("open_denied", outcome == EPERM, said);
    }

    /// Asks until `done` holds or time is up; the last answer is kept.
    template <typename Condition>
    std::optional<Failure> poll(Condition done) {
        const MonotonicTime end = SystemClock().monotonic() + kQuarantinePatience;
        for (;;) {
            auto answer = session_.call("selftest.result");
            if (!answer)
                return answer.failure;
            result_ = std::move(*answer.value);
            if (done() || SystemClock().monotonic() >= end || command_line::interrupted())
                return std::nullopt;
            std::this_thread::sleep_for(kPoll);
        }
    }

    std::optional<Failure> expect_report() {
        const auto reported = [this] { return !data::string_or(result_, "threat_name", "").empty(); };
        if (auto failure = poll(reported))
            return failure;
        steps_.check("reported", reported(),
                     reported() ? data::string_or(result_, "threat_name", "") : "no detection within 10 s");
        return std::nullopt;
    }

    std::optional<Failure> expect_quarantine(const TestFile& file) {
        if (blocks_only()) {
            steps_.add("quarantined", StepStatus::not_applicable,
                       "the profile has the quarantine disabled: block only");
            return std::nullopt;
        }
        const auto gone = [&] { return data::bool_or(result_, "quarantined", false) && !file.exists(); };
        if (auto failure = poll(gone))
            return failure;
        if (gone())
            steps_.add("quarantined", StepStatus::passed,
                       fmt::format("{} as {}", data::string_or(result_, "threat_name", "?"),
                                   data::string_or(result_, "quarantine_id", "?")));
        else
            steps_.add("quarantined", StepStatus::failed,
                       file.exists() ? "the file is still there after 10 s"
                                     : "the file is gone, but not in the quarantine");
        return std::nullopt;
    }

    bool blocks_only() {
        const auto answer = session_.call("config.show", {{"name", "quarantine"}});
        if (!answer)
            return false;
        const data::Json& settings = data::member(*answer.value, "settings");
        if (!settings.is_array() || settings.empty())
            return false;
        const data::Json& value = data::member(settings.front(), "value");
        return value == data::Json("disabled") || value == data::Json(false);
    }

    std::optional<Failure> engine_alone() {
        const auto file = sys::memory_file(test_pattern());
        if (!file)
            return failed_step("engine", file.error());
        const auto answer = session_.call("scan.file", {{"path", "picket self-test"}}, {file->get()});
        if (!answer)
            return answer.failure;
        const std::string verdict = data::string_or(*answer.value, "verdict", "");
        steps_.check("engine", verdict == "malicious",
                     verdict == "malicious" ? data::string_or(*answer.value, "threat_name", "found")
                                            : fmt::format("the engine called the test file {}", verdict));
        return std::nullopt;
    }

    const Context& context_;
    Session& session_;
    std::string level_;
    Steps steps_;
    data::Json result_ = data::Json::object();
};

} // namespace

int run_selftest(const Context& context) {
    if (::geteuid() != 0)
        return context.fail(
            make_failure(CliExit::needs_root, "needs_root", "the self-test needs root", "run it as root"));
    command_line::catch_interrupts();
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    SelfTest test(context, *session.value);
    if (const auto failure = test.run())
        return context.fail(*failure);
    return test.report();
}

} // namespace picket::cli
