#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "generation_source.h"
#include "options.h"
#include "zygote_process.h"

namespace picket::engine {

/// Which definitions serve, and how others take their place: load beside, swap, or keep the old ones. One thread.
///   nothing ─▶ loading ─▶ ready ⇄ (a second one loads) ─▶ ready | reload_failed
///                 └▶ failed ─▶ (current changes, or a reload) ─▶ loading
class Loader {
  public:
    Loader(const Options& options, int temporary_directory, std::function<void()> close_in_child);

    /// What the gate is told of it.
    struct Status {
        scan::LoadState state = scan::LoadState::loading;
        std::string definitions;
        std::string message;
        unsigned workers = 0;
        std::uint64_t workers_killed = 0;
        std::uint64_t workers_crashed = 0;
        bool operator==(const Status&) const = default;
    };
    Status status() const;

    /// One turn of everything that goes on by itself.
    void turn();
    /// Loads what `current` names now, where that is another generation than the one that serves and was not refused
    /// before. is_settled() says when it is done.
    void reload();
    /// The same with what `candidate` names. Where nothing serves, it may be the first.
    void try_candidate();
    bool is_settled() const { return !loading_ && !wanted_; }

    void set_workers(unsigned workers);
    void set_gate_present(bool present);
    void kill_worker(std::uint32_t pid);
    void stop();
    bool is_stopped() const { return !serving_ && !loading_ && leaving_.empty(); }
    std::vector<int> channels() const;

  private:
    using Process = std::unique_ptr<ZygoteProcess>;

    void look_for_definitions();
    void want(Result<GenerationOnDisk> generation);
    void start_wanted();
    void begin(GenerationOnDisk generation);
    void turn_loading();
    void turn_serving();
    void turn_leaving();
    void take_over();
    void loading_failed(const std::string& reason);
    bool must_unload_first() const;
    bool is_fallback(const GenerationOnDisk& generation) const { return fallback_ && fallback_->id == generation.id; }
    void leave(Process process);
    void serve();
    void count(const Process& process);

    const Options& options_;
    int temporary_directory_;
    std::function<void()> close_in_child_;

    Process serving_;
    Process loading_;
    struct Leaving {
        Process process;
        std::int64_t since_ms = 0;
    };
    std::vector<Leaving> leaving_;
    std::optional<GenerationOnDisk> wanted_; ///< to be loaded as soon as there is room
    std::optional<GenerationOnDisk> loading_what_;
    std::optional<GenerationOnDisk> serving_what_;
    std::optional<GenerationOnDisk> fallback_; ///< unloaded to make room; comes back where the new one fails
    std::optional<GenerationId> refused_;
    std::string reload_failure_; ///< "" where the last reload was well
    std::string load_failure_;   ///< why nothing is loaded
    unsigned workers_ = 1;
    bool gate_present_ = false;
    bool stopping_ = false;
    std::int64_t next_look_ms_ = 0;
    std::int64_t start_not_before_ms_ = 0;
    std::int64_t restart_pause_ms_ = 0;
    std::uint64_t buried_killed_ = 0;
    std::uint64_t buried_crashed_ = 0;
};

} // namespace picket::engine
