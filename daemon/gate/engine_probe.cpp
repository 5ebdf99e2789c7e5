#include "engine_probe.h"

#include <fcntl.h>

#include <fmt/format.h>
#include <picket/model/test_pattern.h>
#include <picket/sys/file.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr const char* kCleanText = "Picket asks its engine whether this is clean.\n";

std::optional<std::string> failure_of(std::optional<Verdict> bad, std::optional<Verdict> good) {
    if (!bad || !good)
        return "it did not judge two tiny files in time";
    if (*bad != Verdict::malicious)
        return fmt::format("it calls the EICAR test pattern {}", to_string(*bad));
    if (*good != Verdict::clean)
        return fmt::format("it calls a clean text {}", to_string(*good));
    return std::nullopt;
}

} // namespace

void EngineProbe::on_tick() {
    const MonotonicTime now = clock_.monotonic();
    if (!gate_.snapshot().engine_present) { // a reason of its own
        round_.reset();
        return;
    }
    if (round_)
        judge(now);
    else if (now >= next_)
        begin(now);
}

void EngineProbe::begin(MonotonicTime now) {
    began_ = now;
    next_ = now + kProbeEvery;
    round_ = std::make_shared<Round>();
    ask(test_pattern(), &Round::bad);
    ask(kCleanText, &Round::good);
}

void EngineProbe::ask(std::string_view content, std::optional<Verdict> Round::*answer) {
    const auto memory = sys::memory_file(content);
    if (!memory)
        return; // unanswered: the round fails by time
    // The engine takes nothing that it could write to.
    UniqueFd file(open(fmt::format("/proc/self/fd/{}", memory->get()).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return;
    scans_.scan_file(std::move(file), "(engine probe)", [round = round_, answer](const Finding& finding) {
        std::lock_guard lock(round->mutex);
        *round.*answer = finding.verdict;
    });
}

void EngineProbe::judge(MonotonicTime now) {
    std::optional<std::string> failure;
    {
        std::lock_guard lock(round_->mutex);
        if ((!round_->bad || !round_->good) && now - began_ < kAnswerWithin)
            return;
        failure = failure_of(round_->bad, round_->good);
    }
    round_.reset();
    std::lock_guard lock(mutex_);
    if (failure && failure != failure_)
        log(LogLevel::error, "the engine failed its probe: " + *failure);
    failure_ = std::move(failure);
}

std::optional<std::string> EngineProbe::failure() const {
    std::lock_guard lock(mutex_);
    return failure_;
}

} // namespace picket::daemon
