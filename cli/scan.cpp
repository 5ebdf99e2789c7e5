#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/unique_fd.h>
#include <picket/command_line/interrupt.h>

#include "context.h"
#include "scan_report.h"
#include "session.h"

namespace picket::cli {
namespace {

constexpr Milliseconds kTurn{200};
constexpr Milliseconds kCancelPatience{15'000};

/// Follows one scan of the daemon to its end.
class Follower {
  public:
    Follower(const Context& context, Session& session, std::string scan_id)
        : context_(context), session_(session), scan_id_(std::move(scan_id)), report_(context) {}

    int run() {
        MonotonicTime give_up = MonotonicTime::max();
        bool cancelling = false;
        while (SystemClock().monotonic() < give_up) {
            if (command_line::interrupted() && !cancelling) {
                cancelling = true;
                give_up = SystemClock().monotonic() + kCancelPatience;
                if (const auto cancelled = session_.call("scan.cancel", {{"scan_id", scan_id_}}); !cancelled)
                    return context_.fail(cancelled.failure);
            }
            auto notification = session_.wait(kTurn);
            if (!notification)
                return context_.fail(lost(notification.failure));
            if (notification.value->has_value() && take(**notification.value))
                return report_.finish(std::move((*notification.value)->parameters));
        }
        return context_.fail(
            make_failure(CliExit::failed, "cancelled",
                         fmt::format("scan {} was told to stop, and has not said that it did", scan_id_),
                         "\"picket scan list\" shows whether it still runs"));
    }

  private:
    /// True where it is the last one.
    bool take(const ipc::RpcClient::Notification& notification) {
        if (data::string_or(notification.parameters, "scan_id", "") != scan_id_)
            return false;
        if (notification.method == "scan.progress")
            report_.progress(notification.parameters);
        else if (notification.method == "scan.threat")
            report_.threat(notification.parameters);
        return notification.method == "scan.finished";
    }
    command_line::Failure lost(command_line::Failure failure) const {
        failure.message = fmt::format("lost sight of scan {}: {}", scan_id_, failure.message);
        failure.fix = "\"picket scan list\" shows how it ended, \"systemctl status picketd\" whether the daemon lives";
        return failure;
    }

    const Context& context_;
    Session& session_;
    const std::string scan_id_;
    ScanReport report_;
};

int start_and_follow(const Context& context, data::Json parameters, const std::vector<int>& descriptors) {
    command_line::catch_interrupts();
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    parameters["follow"] = true;
    const auto started = session.value->call("scan.start", parameters, descriptors);
    if (!started)
        return context.fail(started.failure);
    return Follower(context, *session.value, data::string_or(*started.value, "scan_id", "")).run();
}

} // namespace

int run_scan(const Context& context) {
    return start_and_follow(context, data::parse_json(context.row.fixed).value(), {});
}

int run_scan_custom(const Context& context) {
    const std::string path = command_line::absolute_path(context.get("--path"));
    if (::geteuid() != 0 || context.has("--report-only")) {
        if (context.has("--ignore-exclusions") && !context.has("--report-only"))
            return context.fail(
                make_failure(CliExit::needs_root, "needs_root", "only root may ignore exclusions", "run it as root"));
        return run_own_scan(context, path);
    }
    // O_PATH: the name is followed with the caller's rights, and nothing is opened that the daemon would hold up.
    const UniqueFd target(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!target)
        return context.fail(failure_of(Error::from_errno(errno, path)));
    data::Json parameters = {{"kind", "custom"}};
    data::set_path(parameters, "path", path);
    if (context.has("--ignore-exclusions"))
        parameters["ignore_exclusions"] = true;
    return start_and_follow(context, std::move(parameters), {target.get()});
}

} // namespace picket::cli
