#include <algorithm>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/command_line/interrupt.h>

#include "context.h"
#include "session.h"

/// A live view: what the gate does now, and what keeps it busy.
namespace picket::cli {
namespace {

using command_line::Colour;
using command_line::Shrink;
using command_line::Terminal;
using data::Json;

constexpr Milliseconds kEvery{2'000};
constexpr std::size_t kMaximumRows = 20;
constexpr int kUsualHeight = 24;

/// Rows of each of the three tables, so that a picture is no higher than the terminal.
std::size_t rows_that_fit() {
    constexpr int kHeading = 5;
    constexpr int kAboveTable = 2;
    winsize size{};
    const int height = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : kUsualHeight;
    return static_cast<std::size_t>(std::clamp((height - kHeading) / 3 - kAboveTable, 1, int{kMaximumRows}));
}

/// One look: the counters, and when they were read.
struct Look {
    Json statistics;
    Json health;
    MonotonicTime when{};
};

/// Keys come one by one and unseen while this lives.
class RawTerminal {
  public:
    RawTerminal() {
        active_ = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &before_) == 0;
        if (!active_)
            return;
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    ~RawTerminal() {
        if (active_)
            tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    /// True where `q` was pressed in that time.
    bool wants_to_quit(Milliseconds wait) const {
        pollfd key{active_ ? STDIN_FILENO : -1, POLLIN, 0};
        char pressed = 0;
        return poll(&key, 1, static_cast<int>(wait.count())) == 1 && read(STDIN_FILENO, &pressed, 1) == 1 &&
               pressed == 'q';
    }

  private:
    termios before_{};
    bool active_ = false;
};

Tried<Look> look(Session& session) {
    auto statistics = session.call("statistics", {{"top", kMaximumRows}});
    if (!statistics)
        return {std::nullopt, statistics.failure};
    auto health = session.call("health");
    if (!health)
        return {std::nullopt, health.failure};
    return {Look{std::move(*statistics.value), std::move(*health.value), SystemClock().monotonic()}};
}

std::int64_t counter(const Look& look, std::string_view name) {
    return data::integer_or(data::member(look.statistics, "counters"), name, 0);
}

class Screen {
  public:
    Screen(const Look& before, const Look& now, const Terminal& terminal)
        : before_(before), now_(now), terminal_(terminal), rows_(rows_that_fit()),
          seconds_(std::max(0.001, std::chrono::duration<double>(now.when - before.when).count())) {}

    std::string text() const {
        std::string text = heading() + rates();
        text += table("PROCESS", "process", "opens", "OPENS", data::member(now_.statistics, "processes"));
        text += table("FILE", "path", "opens", "OPENS", data::member(now_.statistics, "files"));
        text += table("SLOWEST SCANS", "path", "scan_ms", "MS", data::member(now_.statistics, "slowest"));
        return text;
    }

  private:
    double rate(std::string_view name) const {
        return static_cast<double>(counter(now_, name) - counter(before_, name)) / seconds_;
    }
    /// Of the opens that could have been answered from the cache.
    double hit_rate() const {
        const double hits = rate("cache_hits");
        const double asked = hits + rate("scans");
        return asked > 0 ? 100 * hits / asked : 0;
    }

    std::string heading() const {
        const bool healthy = data::bool_or(now_.health, "healthy", false);
        std::string issues;
        for (const Json& issue : data::member(now_.health, "health_issues"))
            issues += " " + data::string_or(issue, "name", "?");
        const std::string state =
            healthy ? command_line::paint("healthy", Colour::green, terminal_)
                    : command_line::paint(
                          "not healthy:" + command_line::shorten_end(escape_for_display(issues), terminal_.width - 40),
                          Colour::red, terminal_);
        return fmt::format("picket top  {}  {}\n\n", command_line::value_text(now_.health, "enforcement_level"), state);
    }

    std::string rates() const {
        return fmt::format("opens/s {:>9.0f}   cache {:>5.1f} %   scans/s {:>7.1f}   denied {:>6}\n"
                           "waiting {:>9}   workers {:>5}   unscanned {:>5}   cached {:>6}\n",
                           rate("events"), hit_rate(), rate("scans"), counter(now_, "denied"),
                           counter(now_, "held_opens"), data::integer_or(now_.health, "engine_workers", 0),
                           counter(now_, "allowed_unscanned"), counter(now_, "cached_verdicts"));
    }

    std::string table(std::string_view title, std::string_view name, std::string_view count, std::string_view unit,
                      const Json& rows) const {
        if (!rows.is_array() || rows.empty())
            return {};
        Json first = Json::array();
        for (std::size_t i = 0; i < std::min(rows.size(), rows_); ++i)
            first.push_back(rows[i]);
        return "\n" + command_line::render_table({{.field = count, .title = unit, .right = true},
                                                  {.field = name, .title = title, .shrink = Shrink::middle}},
                                                 first, terminal_);
    }

    const Look& before_;
    const Look& now_;
    const Terminal& terminal_;
    const std::size_t rows_;
    const double seconds_;
};

/// Over the last picture, so that nothing flickers; each line ends with "clear to its end".
std::string drawn(const std::string& text) {
    std::string frame = "\x1b[H";
    for (const std::string_view line : split(trim(text), '\n'))
        frame += fmt::format("{}{}\x1b[K", frame.size() > 3 ? "\r\n" : "", line);
    return frame + "\x1b[J";
}

} // namespace

int run_top(const Context& context) {
    command_line::catch_interrupts();
    auto session = Session::open(context.socket);
    if (!session)
        return context.fail(session.failure);
    const std::uint64_t iterations =
        context.has("--iterations") ? parse_unsigned(context.get("--iterations")).value_or(1) : 0;
    auto before = look(*session.value);
    if (!before)
        return context.fail(before.failure);
    const RawTerminal keys;
    const bool live = Terminal::of(stdout).is_terminal;
    if (live)
        command_line::print("\x1b[2J");
    for (std::uint64_t round = 0; (iterations == 0 || round < iterations) && !command_line::interrupted(); ++round) {
        if (keys.wants_to_quit(kEvery))
            break;
        auto now = look(*session.value);
        if (!now)
            return context.fail(now.failure);
        const Terminal terminal = Terminal::of(stdout); // it may have been resized
        const std::string text = Screen(*before.value, *now.value, terminal).text();
        command_line::print(context.json() ? command_line::envelope(context.row.kind, now.value->statistics)
                            : live         ? drawn(text)
                                           : text + "\n");
        if (!command_line::flush_output())
            return static_cast<int>(CliExit::failed);
        before = std::move(now);
    }
    if (live)
        command_line::print("\n");
    return static_cast<int>(CliExit::done);
}

} // namespace picket::cli
