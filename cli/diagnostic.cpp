#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/archive/writer.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/data/redact.h>
#include <picket/model/paths.h>
#include <picket/sys/file.h>
#include <picket/sys/process.h>

#include "context.h"
#include "session.h"

/// One archive with what support needs, made by the administrator's own process: the daemon packs nothing.
namespace picket::cli {
namespace {

using data::Json;

constexpr Bytes kLargestPart = mebibytes(4);

struct Method {
    const char* file;
    const char* method;
    const char* parameters;
};
constexpr Method kMethods[] = {{"health.json", "health", "{}"},
                               {"version.json", "version", "{}"},
                               {"statistics.json", "statistics", R"({"top":50})"},
                               {"profile.json", "profile.show", "{}"},
                               {"settings.json", "config.show", "{}"},
                               {"exclusions.json", "exclusion.list", "{}"},
                               {"threats.json", "threat.list", R"({"limit":500})"},
                               {"quarantine.json", "quarantine.list", "{}"},
                               {"scans.json", "scan.list", R"({"limit":200})"},
                               {"events.json", "event.list", R"({"limit":1000})"},
                               {"event_chain.json", "event.verify", "{}"}};

struct Command {
    const char* file;
    std::vector<std::string> arguments;
};
std::vector<Command> commands() {
    const std::vector<std::string> units = {"picketd",       "picket-engine",      "picket-guard",
                                            "picket-remedy", "picket-definitions", "picket-link",
                                            "picket.target"};
    std::vector<std::string> journal = {"journalctl", "--no-pager", "--lines=3000", "--output=short-iso-precise"};
    std::vector<std::string> status = {"systemctl", "--no-pager", "--full", "status"};
    for (const std::string& unit : units) {
        journal.push_back("--unit=" + unit);
        status.push_back(unit);
    }
    return {{"journal.txt", journal},
            {"units.txt", status},
            {"check.json", {"picket-installer", "check", "--output", "json", "--lock-timeout", "1"}},
            {"installer_status.json", {"picket-installer", "status", "--output", "json"}},
            {"disk.txt", {"df", "-h"}},
            {"processes.txt", {"ps", "-eo", "pid,ppid,user,stat,rss,etimes,comm"}}};
}

constexpr const char* kFiles[] = {"/etc/os-release",
                                  "/proc/version",
                                  "/proc/cmdline",
                                  "/proc/meminfo",
                                  "/proc/loadavg",
                                  "/proc/self/mountinfo",
                                  "/sys/kernel/security/lsm",
                                  "/var/lib/picket/install/receipt.json",
                                  "/var/lib/picket/install/journal.json",
                                  "/var/log/picket/supervisor.log"};

class Archive {
  public:
    Archive(archive::Writer writer, std::vector<std::string> secrets)
        : writer_(std::move(writer)), secrets_(std::move(secrets)) {}

    /// Too long a part keeps its end, where the newest is.
    void add(const std::string& name, std::string content) {
        if (failure_)
            return;
        std::string note;
        if (content.size() > kLargestPart.count) {
            note = "[cut: only the end]\n";
            content.erase(0, content.size() - kLargestPart.count);
        }
        const auto added = writer_.add("picket-diagnostic/" + name, note + data::redact(content, secrets_), 0600);
        if (!added)
            failure_ = added.error();
        else
            names_.push_back(name);
    }
    Result<void> finish() { return failure_ ? Result<void>(*failure_) : writer_.finish(); }
    const std::vector<std::string>& names() const { return names_; }

  private:
    archive::Writer writer_;
    const std::vector<std::string> secrets_;
    std::vector<std::string> names_;
    std::optional<Error> failure_;
};

void add_answers(Archive& archive, const std::string& socket) {
    auto session = Session::open(socket);
    for (const Method& row : kMethods) {
        if (!session) {
            archive.add(row.file, "the daemon did not answer: " + session.failure.message + "\n");
            continue;
        }
        const auto answer =
            session.value->call(row.method, data::parse_json(row.parameters).value(), {}, Milliseconds(60'000));
        archive.add(row.file, answer ? data::to_pretty_text(*answer.value) + "\n"
                                     : "the daemon did not answer: " + answer.failure.message + "\n");
    }
}

void add_commands(Archive& archive) {
    sys::RunOptions options;
    options.timeout = Milliseconds(30'000);
    options.output_limit = mebibytes(16);
    for (const Command& command : commands()) {
        const auto outcome = sys::run(command.arguments, options);
        archive.add(command.file, outcome ? outcome->output + outcome->error_output : outcome.error().message() + "\n");
    }
}

void add_files(Archive& archive) {
    for (const char* path : kFiles) {
        const auto content = sys::read_kernel_file(path, mebibytes(16));
        archive.add(std::string("files") + path, content ? *content : content.error().message() + "\n");
    }
}

/// Names, sizes and modes of what we keep; contents only as listed above.
void add_listing(Archive& archive) {
    const auto root = sys::Root::open("/");
    std::string text;
    for (const char* folder :
         {paths::kConfigDirectory, paths::kManagedDirectory, paths::kStateDirectory, paths::kDefinitionsDirectory,
          paths::kQuarantineDirectory, paths::kLogDirectory, paths::kRunDirectory}) {
        text += fmt::format("{}:\n", folder);
        const auto names = root ? root->list(folder, 10'000) : Result<std::vector<std::string>>(root.error());
        for (const std::string& name : names.value_or(std::vector<std::string>()))
            if (const auto status = root->status(fmt::format("{}/{}", folder, name)))
                text += fmt::format("  {:o} {}:{} {:>12} {}\n", status->st_mode, status->st_uid, status->st_gid,
                                    status->st_size, escape_for_display(name));
    }
    archive.add("listing.txt", std::move(text));
}

/// What must not leave the host although it has no name that gives it away.
std::vector<std::string> known_secrets() {
    std::vector<std::string> secrets;
    if (const auto token = sys::read_kernel_file(paths::kEnrolmentToken, kibibytes(64)))
        secrets.emplace_back(trim(*token));
    return secrets;
}

std::string file_name() {
    utsname host{};
    uname(&host);
    std::string time = to_rfc3339(SystemClock().wall()).substr(0, 19);
    std::erase_if(time, [](char c) { return c == ':' || c == '-'; });
    std::string name = host.nodename;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '/' || escape_for_display(std::string(1, c)).size() > 1; },
        '_');
    return fmt::format("picket-diagnostic-{}-{}Z.tar.gz", name, time);
}

} // namespace

int run_diagnostic_create(const Context& context) {
    if (::geteuid() != 0)
        return context.fail(
            make_failure(CliExit::needs_root, "needs_root", "the records of the host are root's", "run it as root"));
    const std::string folder = command_line::absolute_path(context.has("--path") ? context.get("--path") : ".");
    const std::string path = folder + "/" + file_name();
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file)
        return context.fail(failure_of(Error::from_errno(errno, path)));
    auto writer = archive::Writer::create(file.get(), archive::Format::tar_gz);
    if (!writer)
        return context.fail(failure_of(writer.error()));
    Archive archive(std::move(*writer), known_secrets());
    archive.add(
        "README.txt",
        fmt::format("Made by picket {} for support. Look at it before you send it: it holds names of files,\n"
                    "programs and users of this host, and no contents of files. Passwords, tokens and keys were\n"
                    "replaced by [redacted].\n",
                    build::version()));
    add_answers(archive, context.socket);
    add_commands(archive);
    add_files(archive);
    add_listing(archive);
    if (const auto finished = archive.finish(); !finished) {
        ::unlink(path.c_str());
        return context.fail(failure_of(finished.error()));
    }
    Json result{{"contents", archive.names()}};
    data::set_path(result, "path", path);
    if (context.json())
        return show(context, result);
    command_line::print(fmt::format("{}\n{} parts; look at them before you send it\n", escape_for_display(path),
                                    archive.names().size()));
    return static_cast<int>(CliExit::done);
}

} // namespace picket::cli
