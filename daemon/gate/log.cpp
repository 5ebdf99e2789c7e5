#include "log.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::daemon {

namespace {

std::atomic<LogLevel> g_least{LogLevel::info};

struct LevelName {
    std::string_view word;
    LogLevel level;
};
constexpr std::array<LevelName, 4> kLevels{
    {{"error", LogLevel::error}, {"warning", LogLevel::warning}, {"info", LogLevel::info}, {"debug", LogLevel::debug}}};

} // namespace

void set_log_level(std::string_view word) {
    for (const LevelName& name : kLevels)
        if (name.word == word)
            g_least = name.level;
}

void log(LogLevel level, std::string_view text) {
    if (level > g_least.load())
        return;
    const std::string line = fmt::format("<{}>{}\n", static_cast<int>(level), escape_for_display(text));
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

bool log_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    return stream != nullptr && fstat(STDERR_FILENO, &status) == 0 &&
           stream == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

} // namespace picket::daemon
