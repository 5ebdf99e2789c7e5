#include "build_expiry.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "log.h"

namespace picket::daemon {
namespace {

using std::chrono::seconds;

constexpr std::chrono::hours kDay{24};
constexpr std::array<unsigned, 5> kMarks{30, 14, 7, 1, 0};
constexpr unsigned kNothingTold = ~0U;
constexpr std::uint64_t kMostSeconds = 1'000'000'000; ///< 31 years: more is no running time

/// Named values of state.db: the build and a number. What is of another build does not count.
constexpr const char* kRanKey = "build.ran_seconds";
constexpr const char* kToldKey = "build.expiry_told";

std::string build_name(WallTime built) {
    return std::to_string(std::chrono::duration_cast<seconds>(built.time_since_epoch()).count());
}

std::optional<std::uint64_t> read_number(const store::Store& store, const char* key, WallTime built) {
    const auto saved = store.value(key);
    if (!saved || !saved->has_value())
        return std::nullopt;
    const auto parts = split(**saved, ' ');
    if (parts.size() != 2 || parts[0] != build_name(built))
        return std::nullopt;
    return parse_unsigned(parts[1]);
}

void write_number(store::Store& store, const char* key, WallTime built, std::uint64_t number) {
    if (const auto saved = store.set_value(key, fmt::format("{} {}", build_name(built), number)); !saved)
        log(LogLevel::error, "state.db: " + saved.error().message());
}

unsigned days_between(WallTime now, WallTime end) {
    return now >= end ? 0 : static_cast<unsigned>(std::chrono::ceil<std::chrono::days>(end - now).count());
}

/// The last mark that was reached with so many days left.
unsigned mark_of(unsigned days_left) {
    unsigned reached = kNothingTold;
    for (const unsigned mark : kMarks)
        if (days_left <= mark)
            reached = mark;
    return reached;
}

} // namespace

BuildExpiry::BuildExpiry(store::Store& store, const Clock& clock, WallTime built, WallTime end)
    : store_(store), clock_(clock), built_(built), end_(end), last_count_(clock.monotonic()), last_save_(last_count_),
      ran_(seconds(std::min(read_number(store, kRanKey, built).value_or(0), kMostSeconds))),
      told_(static_cast<unsigned>(
          std::min<std::uint64_t>(read_number(store, kToldKey, built).value_or(kNothingTold), kNothingTold))) {}

WallTime BuildExpiry::proved() const {
    return std::max(built_ + std::chrono::duration_cast<WallTime::duration>(ran_),
                    definitions_signed_.value_or(built_));
}

BuildExpiry::State BuildExpiry::state_locked() const {
    const WallTime clock = clock_.wall();
    State state{.end = end_, .proved = proved()};
    state.days_left = days_between(std::max(clock, state.proved), end_);
    state.clock_back = clock + kDay < state.proved;
    return state;
}

BuildExpiry::State BuildExpiry::state() const {
    std::lock_guard lock(mutex_);
    return state_locked();
}

std::optional<unsigned> BuildExpiry::on_tick(std::optional<WallTime> definitions_signed) {
    std::lock_guard lock(mutex_);
    definitions_signed_ = definitions_signed;
    count_time();
    if (last_count_ - last_save_ >= kSaveEvery)
        save_locked();
    const unsigned mark = mark_of(state_locked().days_left);
    if (mark == told_)
        return std::nullopt;
    const bool is_news = mark < told_;
    told_ = mark;
    write_number(store_, kToldKey, built_, mark);
    return is_news ? std::optional(mark) : std::nullopt;
}

void BuildExpiry::save() {
    std::lock_guard lock(mutex_);
    count_time();
    save_locked();
}

void BuildExpiry::count_time() {
    const MonotonicTime now = clock_.monotonic();
    ran_ += now - last_count_;
    last_count_ = now;
}

void BuildExpiry::save_locked() {
    last_save_ = last_count_;
    write_number(store_, kRanKey, built_,
                 static_cast<std::uint64_t>(std::chrono::duration_cast<seconds>(ran_).count()));
}

} // namespace picket::daemon
