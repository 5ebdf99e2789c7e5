#pragma once
#include <string>
#include <string_view>

#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/base/unique_fd.h>

namespace picket::installer {

/// One line an entry, with its time; 0600, never through a link. Without a path nothing is written.
class LogFile {
  public:
    LogFile() = default;
    static Result<LogFile> open(const std::string& path);
    void write(std::string_view text);

  private:
    UniqueFd fd_;
    SystemClock clock_;
};

} // namespace picket::installer
