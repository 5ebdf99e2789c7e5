#pragma once
#include <string>
#include <string_view>

#include <picket/base/clock.h>
#include <picket/command_line/output.h>

namespace picket::command_line {

/// One line on a terminal that is drawn over and over; nothing anywhere else. Drawn on stderr, so that stdout stays
/// clean. At most ten times a second. One thread.
class ProgressBar {
  public:
    ProgressBar();
    ~ProgressBar() { clear(); }
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    /// `done` from 0 to 1, or below 0 where the end is not known: then a mark moves to and fro. `text` is escaped;
    /// `tail` (a path) is what is shortened where the line is full.
    void update(double done, std::string_view text, std::string_view tail);
    /// Takes the line away, for what is printed next.
    void clear();

    /// The line without control sequences; pure.
    static std::string line(double done, unsigned turn, std::string_view text, std::string_view tail, int width);

  private:
    Terminal terminal_;
    MonotonicTime next_{};
    unsigned turn_ = 0;
    bool drawn_ = false;
};

} // namespace picket::command_line
