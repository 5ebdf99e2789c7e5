#include "worker_pool.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "scratch.h"

namespace picket::engine {
namespace {

constexpr int kBusyTurnMs = 250;
constexpr int kIdleTurnMs = 1'000;
/// A worker that ends sooner than this, again and again, is not restarted at once: the gate may refuse us.
constexpr std::int64_t kShortLifeMs = 500;
constexpr std::int64_t kFirstPauseMs = 25;
constexpr std::int64_t kLongestPauseMs = 1'000;

WorkerPage* make_page() {
    void* const memory = mmap(nullptr, sizeof(WorkerPage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : new (memory) WorkerPage;
}

void free_page(WorkerPage* page) {
    munmap(page, sizeof(WorkerPage));
}

} // namespace

void WorkerPool::set_wanted(unsigned workers) {
    wanted_ = workers;
    trim();
}

void WorkerPool::kill_now(Worker& worker) {
    if (worker.killed_by_us)
        return;
    worker.killed_by_us = true;
    ::kill(worker.pid, SIGKILL);
}

void WorkerPool::kill_worker(pid_t pid) {
    for (Worker& worker : workers_)
        if (worker.pid == pid)
            kill_now(worker);
}

/// Too many: the youngest go, each after the request at hand.
void WorkerPool::trim() {
    const auto staying = static_cast<std::size_t>(
        std::count_if(workers_.begin(), workers_.end(), [](const Worker& w) { return !w.asked_to_end; }));
    std::size_t surplus = staying > wanted_ ? staying - wanted_ : 0;
    for (auto worker = workers_.rbegin(); worker != workers_.rend() && surplus > 0; ++worker) {
        if (worker->asked_to_end)
            continue;
        worker->asked_to_end = true;
        ::kill(worker->pid, SIGTERM);
        --surplus;
    }
}

void WorkerPool::turn() {
    reap();
    kill_late();
    start_missing();
}

void WorkerPool::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0;) {
        const auto found =
            std::find_if(workers_.begin(), workers_.end(), [&](const Worker& w) { return w.pid == pid; });
        if (found == workers_.end())
            continue;
        if (WIFSTOPPED(status)) { // by whomever: it holds a request that nobody answers
            kill_now(*found);
            continue;
        }
        bury(*found, status);
        workers_.erase(found);
    }
}

void WorkerPool::bury(Worker& worker, int status) {
    const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    const bool orderly = exit_status == static_cast<int>(WorkerExit::finished) ||
                         exit_status == static_cast<int>(WorkerExit::gate_gone) ||
                         exit_status == static_cast<int>(WorkerExit::bad_request);
    if (worker.killed_by_us)
        ++killed_;
    else if (!orderly)
        ++crashed_;
    if (monotonic_ms() - worker.born_ms < kShortLifeMs && exit_status != static_cast<int>(WorkerExit::finished))
        back_off();
    else
        pause_ms_ = 0;
    free_page(worker.page);
    (void)remove_directory(setup_.scratch, worker.scratch_name).has_value();
}

void WorkerPool::back_off() {
    // The first comes back at once: one file that crashes an engine is an ordinary day.
    start_not_before_ms_ = monotonic_ms() + pause_ms_;
    pause_ms_ = std::clamp(pause_ms_ * 2, kFirstPauseMs, kLongestPauseMs);
}

void WorkerPool::kill_late() {
    const std::int64_t now = monotonic_ms();
    for (Worker& worker : workers_) {
        const std::int64_t deadline = worker.page->deadline_ms.load();
        if (deadline != 0 && now > deadline)
            kill_now(worker);
    }
}

void WorkerPool::start_missing() {
    trim();
    while (monotonic_ms() >= start_not_before_ms_) {
        const auto staying = std::count_if(workers_.begin(), workers_.end(),
                                           [](const Worker& w) { return !w.asked_to_end && !w.killed_by_us; });
        if (staying >= static_cast<std::ptrdiff_t>(wanted_))
            return;
        if (!start_one()) {
            back_off();
            start_not_before_ms_ = std::max(start_not_before_ms_, monotonic_ms() + kFirstPauseMs);
            return;
        }
    }
}

Result<void> WorkerPool::start_one() {
    WorkerSetup setup;
    setup.zygote = getpid();
    setup.gate = PICKET_TRY(ipc::connect_to(setup_.gate_socket));
    const std::string name = fmt::format("w{}", next_number_++);
    setup.scratch = PICKET_TRY(make_directory(setup_.scratch, name));
    setup.scratch_path = setup_.scratch_path + "/" + name;
    setup.generation = setup_.generation;
    setup.usage = setup_.usage;
    setup.engine = setup_.engine;
    setup.page = make_page();
    const pid_t pid = setup.page != nullptr ? fork() : -1;
    if (pid == 0) {
        setup_.close_in_child();
        for (const Worker& sibling : workers_)
            free_page(sibling.page);
        run_worker(std::move(setup));
    }
    if (pid < 0) {
        const Error error = Error::from_errno(errno, "making a worker");
        if (setup.page != nullptr)
            free_page(setup.page);
        (void)remove_directory(setup_.scratch, name).has_value();
        return error;
    }
    workers_.push_back({pid, name, setup.page, monotonic_ms(), false, false});
    return {};
}

int WorkerPool::next_turn_ms() const {
    const std::int64_t now = monotonic_ms();
    if (workers_.size() < wanted_)
        return static_cast<int>(std::clamp<std::int64_t>(start_not_before_ms_ - now, 1, kBusyTurnMs));
    const bool busy =
        std::any_of(workers_.begin(), workers_.end(), [](const Worker& w) { return w.page->deadline_ms.load() != 0; });
    return busy ? kBusyTurnMs : kIdleTurnMs;
}

} // namespace picket::engine
