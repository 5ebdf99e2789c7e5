#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channel.h"
#include "worker.h"

namespace picket::engine {

/// The workers of one zygote: as many as wanted, each replaced when it ends, killed when its time is over. One thread.
class WorkerPool {
  public:
    struct Setup {
        std::string generation;
        std::string gate_socket;
        int scratch = -1; ///< each worker gets a directory in it
        std::string scratch_path;
        MemoryUsage usage;
        engine_core::Engine* engine = nullptr;
        std::function<void()> close_in_child; ///< what belongs to the zygote alone
    };
    explicit WorkerPool(Setup setup) : setup_(std::move(setup)) {}

    void set_wanted(unsigned workers);
    /// By hand: counts as killed. Ignored where it is none of ours.
    void kill_worker(pid_t pid);
    /// One turn: reaps, kills what is late or stopped, starts what is missing.
    void turn();
    /// When turn() should come at the latest, in ms from now.
    int next_turn_ms() const;

    unsigned size() const { return static_cast<unsigned>(workers_.size()); }
    std::uint64_t killed() const { return killed_; }
    std::uint64_t crashed() const { return crashed_; }

  private:
    struct Worker {
        pid_t pid = 0;
        std::string scratch_name;
        WorkerPage* page = nullptr;
        std::int64_t born_ms = 0;
        bool asked_to_end = false;
        bool killed_by_us = false;
    };

    void reap();
    void bury(Worker& worker, int status);
    void kill_late();
    void start_missing();
    void trim();
    Result<void> start_one();
    void back_off();
    void kill_now(Worker& worker);

    Setup setup_;
    std::vector<Worker> workers_;
    unsigned wanted_ = 0;
    std::uint64_t next_number_ = 0;
    std::uint64_t killed_ = 0;
    std::uint64_t crashed_ = 0;
    std::int64_t start_not_before_ms_ = 0;
    std::int64_t pause_ms_ = 0;
};

} // namespace picket::engine
