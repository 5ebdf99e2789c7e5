#include "loader.h"

#include <fmt/format.h>

#include "memory.h"
#include "worker.h"

namespace picket::engine {
namespace {

constexpr std::int64_t kLookEveryMs = 1'000;
constexpr std::int64_t kLoadTimeLimitMs = 600'000;
constexpr std::int64_t kSilenceLimitMs = 15'000;
constexpr std::int64_t kLeavingTimeLimitMs = 300'000;
constexpr std::int64_t kLongestRestartPauseMs = 10'000;
constexpr std::int64_t kGoodLifeMs = 60'000;

} // namespace

Loader::Loader(const Options& options, int temporary_directory, std::function<void()> close_in_child)
    : options_(options), temporary_directory_(temporary_directory), close_in_child_(std::move(close_in_child)) {}

Loader::Status Loader::status() const {
    Status status;
    status.workers_killed = buried_killed_;
    status.workers_crashed = buried_crashed_;
    for (const Process* process : {&serving_, &loading_}) {
        if (!*process)
            continue;
        status.workers_killed += (*process)->last_event().workers_killed;
        status.workers_crashed += (*process)->last_event().workers_crashed;
    }
    for (const Leaving& leaving : leaving_) {
        status.workers_killed += leaving.process->last_event().workers_killed;
        status.workers_crashed += leaving.process->last_event().workers_crashed;
    }
    if (serving_) {
        status.state = reload_failure_.empty() ? scan::LoadState::ready : scan::LoadState::reload_failed;
        status.definitions = serving_->generation();
        status.message = reload_failure_;
        status.workers = serving_->last_event().workers;
    } else if (is_settled() && !load_failure_.empty()) {
        status.state = scan::LoadState::failed;
        status.message = load_failure_;
    }
    return status;
}

void Loader::turn() {
    turn_leaving();
    turn_loading();
    turn_serving();
    if (stopping_)
        return;
    look_for_definitions();
    start_wanted();
}

/// Where nothing is loaded, definitions may appear or be repaired at any time.
void Loader::look_for_definitions() {
    if (serving_ || !is_settled() || monotonic_ms() < next_look_ms_)
        return;
    next_look_ms_ = monotonic_ms() + kLookEveryMs;
    auto generation = find_current_generation(options_.definitions);
    if (!generation)
        load_failure_ = generation.error().message();
    else if (refused_ != generation->id)
        wanted_ = std::move(*generation);
}

void Loader::reload() {
    auto generation = find_current_generation(options_.definitions);
    if (!serving_) {
        refused_.reset();
        next_look_ms_ = 0;
        return look_for_definitions();
    }
    want(std::move(generation));
}

void Loader::try_candidate() {
    auto generation = find_candidate_generation(options_.definitions);
    if (serving_)
        return want(std::move(generation));
    if (!generation)
        load_failure_ = generation.error().message();
    else if (refused_ != generation->id)
        wanted_ = std::move(*generation);
}

void Loader::want(Result<GenerationOnDisk> generation) {
    if (!generation)
        reload_failure_ = generation.error().message();
    else if (serving_what_ && generation->id == serving_what_->id)
        reload_failure_.clear();
    else if (refused_ == generation->id)
        return; // once is enough; reload_failure_ still says why
    else if (!loading_what_ || generation->id != loading_what_->id)
        wanted_ = std::move(*generation);
}

bool Loader::must_unload_first() const {
    if (!serving_)
        return false;
    const std::uint64_t available = available_memory();
    const std::uint64_t resident = serving_->last_event().resident_bytes;
    return options_.sequential_reload || (available != 0 && available < resident + resident / 2);
}

void Loader::start_wanted() {
    if (!wanted_ || loading_ || monotonic_ms() < start_not_before_ms_)
        return;
    if (must_unload_first()) {
        fallback_ = serving_what_;
        leave(std::move(serving_));
    }
    // Where room was made, wait until it is free.
    if (fallback_ && !leaving_.empty())
        return;
    GenerationOnDisk generation = std::move(*wanted_);
    wanted_.reset();
    begin(std::move(generation));
}

void Loader::begin(GenerationOnDisk generation) {
    loading_what_ = std::move(generation);
    auto process = ZygoteProcess::start({.generation = loading_what_->id.name,
                                         .directory = loading_what_->directory,
                                         .files = loading_what_->files,
                                         .gate_socket = options_.socket,
                                         .temporary_directory = temporary_directory_,
                                         .temporary_path = options_.temporary_directory,
                                         .close_in_child = close_in_child_});
    if (!process)
        return loading_failed(process.error().message());
    loading_ = std::move(*process);
}

void Loader::turn_loading() {
    if (!loading_)
        return;
    switch (loading_->turn()) {
    case ZygoteProcess::State::loading:
        if (loading_->since_start_ms() > kLoadTimeLimitMs)
            loading_->kill(fmt::format("took longer than {} s to load", kLoadTimeLimitMs / 1'000));
        return;
    case ZygoteProcess::State::loaded:
        return take_over();
    case ZygoteProcess::State::failed:
    case ZygoteProcess::State::ended:
        const std::string reason = loading_->message();
        count(loading_);
        loading_.reset();
        return loading_failed(reason);
    }
}

void Loader::take_over() {
    const bool is_return = is_fallback(*loading_what_);
    Process old = std::move(serving_);
    serving_ = std::move(loading_);
    serving_what_ = std::move(loading_what_);
    loading_what_.reset();
    fallback_.reset();
    load_failure_.clear();
    if (!is_return)
        reload_failure_.clear();
    serve();
    if (old)
        leave(std::move(old));
}

void Loader::loading_failed(const std::string& reason) {
    const GenerationOnDisk failed = std::move(*loading_what_);
    loading_what_.reset();
    const std::string message = fmt::format("{}: {}", failed.id.name, reason);
    if (is_fallback(failed)) { // not even that: start anew
        fallback_.reset();
        load_failure_ = message;
        return;
    }
    refused_ = failed.id;
    if (serving_ || fallback_)
        reload_failure_ = message;
    else
        load_failure_ = message;
    if (fallback_)
        wanted_ = fallback_;
}

void Loader::turn_serving() {
    if (!serving_)
        return;
    const ZygoteProcess::State state = serving_->turn();
    if (state == ZygoteProcess::State::loaded) {
        if (serving_->since_last_event_ms() > kSilenceLimitMs)
            serving_->kill("stopped answering");
        return;
    }
    // It crashed or was ended from outside. The same again, sooner or later.
    restart_pause_ms_ =
        serving_->since_start_ms() > kGoodLifeMs ? 0 : std::min(restart_pause_ms_ * 2 + 100, kLongestRestartPauseMs);
    start_not_before_ms_ = monotonic_ms() + restart_pause_ms_;
    count(serving_);
    serving_.reset();
    if (!loading_ && !wanted_)
        wanted_ = serving_what_;
}

void Loader::turn_leaving() {
    std::erase_if(leaving_, [this](Leaving& leaving) {
        const ZygoteProcess::State state = leaving.process->turn();
        const bool over = state == ZygoteProcess::State::ended || state == ZygoteProcess::State::failed ||
                          monotonic_ms() - leaving.since_ms > kLeavingTimeLimitMs;
        if (over)
            count(leaving.process);
        return over;
    });
}

void Loader::count(const Process& process) {
    buried_killed_ += process->last_event().workers_killed;
    buried_crashed_ += process->last_event().workers_crashed;
}

void Loader::leave(Process process) {
    process->stop();
    leaving_.push_back({std::move(process), monotonic_ms()});
}

void Loader::serve() {
    if (serving_)
        serving_->serve(gate_present_ ? workers_ : 0);
}

void Loader::set_workers(unsigned workers) {
    workers_ = workers;
    serve();
}

void Loader::set_gate_present(bool present) {
    gate_present_ = present;
    serve();
}

void Loader::kill_worker(std::uint32_t pid) {
    if (serving_)
        serving_->kill_worker(pid);
    for (Leaving& leaving : leaving_)
        leaving.process->kill_worker(pid);
}

void Loader::stop() {
    stopping_ = true;
    wanted_.reset();
    loading_.reset();
    if (serving_)
        leave(std::move(serving_));
}

std::vector<int> Loader::channels() const {
    std::vector<int> channels;
    for (const Process* process : {&serving_, &loading_})
        if (*process)
            channels.push_back((*process)->channel());
    for (const Leaving& leaving : leaving_)
        channels.push_back(leaving.process->channel());
    return channels;
}

} // namespace picket::engine
