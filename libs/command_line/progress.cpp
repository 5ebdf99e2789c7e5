#include <picket/command_line/progress.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::command_line {
namespace {

constexpr int kBarCells = 20;
constexpr int kMark = 4;
constexpr Milliseconds kInterval{100};

std::string bar(double done, unsigned turn) {
    std::string cells(kBarCells, ' ');
    if (done >= 0) {
        const auto filled = std::lround(std::min(done, 1.0) * kBarCells);
        std::fill_n(cells.begin(), filled, '=');
        return cells;
    }
    constexpr unsigned kPath = kBarCells - kMark;
    const unsigned step = turn % (2 * kPath);
    std::fill_n(cells.begin() + (step < kPath ? step : 2 * kPath - step), kMark, '=');
    return cells;
}

} // namespace

ProgressBar::ProgressBar() : terminal_(Terminal::of(stderr)) {}

std::string ProgressBar::line(double done, unsigned turn, std::string_view text, std::string_view tail, int width) {
    const std::string head = fmt::format("[{}] {}", bar(done, turn), escape_for_display(text));
    const int room = width - 1 - display_width(head) - 2; // the last column stays free: some terminals wrap there
    constexpr int kUseful = 8;
    if (tail.empty() || room < kUseful)
        return shorten_end(head, width - 1);
    return fmt::format("{}  {}", head, shorten_middle(escape_for_display(tail), room));
}

void ProgressBar::update(double done, std::string_view text, std::string_view tail) {
    const MonotonicTime now = SystemClock().monotonic();
    if (!terminal_.is_terminal || now < next_)
        return;
    next_ = now + kInterval;
    fmt::print(stderr, "\r\x1b[K{}", line(done, turn_++, text, tail, terminal_.width));
    std::fflush(stderr);
    drawn_ = true;
}

void ProgressBar::clear() {
    if (!drawn_)
        return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    drawn_ = false;
    next_ = {};
}

} // namespace picket::command_line
