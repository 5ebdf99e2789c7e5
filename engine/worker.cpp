#include "worker.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <picket/sandbox/privileges.h>
#include <picket/scan/engine_protocol.h>

#include "channel.h"
#include "scratch.h"

namespace picket::engine {
namespace {

constexpr unsigned kScansPerLife = 2'000;
constexpr std::uint64_t kGrowthPerLife = mebibytes(256).count; ///< of the peak, over what it was born with
constexpr int kAnswerTimeoutMs = 5'000;
/// libclamav gets the limit that the gate sent and stops by itself; this much later nobody waits for that any more.
constexpr std::int64_t kGraceMs = 1'000;

volatile std::sig_atomic_t asked_to_end = 0;

[[noreturn]] void end(WorkerExit how) {
    _exit(static_cast<int>(how));
}

class Worker {
  public:
    explicit Worker(WorkerSetup setup) : setup_(std::move(setup)) {}

    WorkerExit run() {
        sigset_t unblocked;
        sigprocmask(SIG_SETMASK, nullptr, &unblocked);
        sigdelset(&unblocked, SIGTERM);
        while (asked_to_end == 0 && !share_is_done()) {
            pollfd waiting{setup_.gate.get(), POLLIN, 0};
            // SIGTERM arrives here and nowhere else, so it never falls between the question and the wait.
            if (ppoll(&waiting, 1, nullptr, &unblocked) < 0)
                continue;
            if (const auto exit = serve_one(); exit)
                return *exit;
        }
        return end_orderly();
    }

  private:
    /// Nothing more is accepted, what was accepted before is answered: the gate sees EPIPE instead of a lost request.
    WorkerExit end_orderly() {
        ::shutdown(setup_.gate.get(), SHUT_RD);
        (void)serve_one();
        return WorkerExit::finished;
    }

    bool share_is_done() const {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        const std::uint64_t peak = static_cast<std::uint64_t>(usage.ru_maxrss) << 10;
        return scans_ >= kScansPerLife || peak > setup_.usage.resident + kGrowthPerLife;
    }

    /// Nothing where the next request may come.
    std::optional<WorkerExit> serve_one() {
        ChannelState state = ChannelState::empty;
        auto received = receive_record<scan::ScanRequest>(setup_.gate.get(), state);
        if (!received) {
            if (state == ChannelState::empty)
                return std::nullopt;
            return state == ChannelState::closed ? WorkerExit::gate_gone : WorkerExit::bad_request;
        }
        if (!scan::is_valid(received->record) || received->descriptors.size() != 1)
            return WorkerExit::bad_request;
        const scan::ScanReply reply = answer(received->record, std::move(received->descriptors.front()));
        if (!send(reply))
            return WorkerExit::gate_gone;
        ++scans_;
        return std::nullopt;
    }

    /// Also closed before the answer: whose server is asked then may wait for the worker that an answer sets free.
    scan::ScanReply answer(const scan::ScanRequest& request, UniqueFd file) {
        const auto started = std::chrono::steady_clock::now();
        setup_.page->deadline_ms.store(monotonic_ms() + request.time_limit_ms + kGraceMs);
        read_with_priority((request.flags & scan::kScanLowPriority) == 0);
        if ((request.flags & scan::kScanPutAway) != 0) {
            auto inside = ipc::peek_descriptor(file.get());
            file = inside ? std::move(*inside) : UniqueFd();
        }
        const bool readable = file && (fcntl(file.get(), F_GETFL) & O_ACCMODE) == O_RDONLY;
        const Finding finding =
            readable ? setup_.engine->scan(file.get(), request.flags, Milliseconds(request.time_limit_ms))
                     : Finding{Verdict::unreadable, {}};
        file.reset();
        clean_scratch();
        setup_.page->deadline_ms.store(0);
        scan::ScanReply reply;
        reply.id = request.id;
        reply.verdict = finding.verdict;
        scan::set_field(reply.threat_name, finding.threat_name);
        reply.scan_us = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started).count());
        return reply;
    }

    /// ioprio_set(2): class best effort as at birth, or idle. Without the call everything is read as at birth.
    void read_with_priority(bool normal) {
        constexpr int kWhoProcess = 1;
        constexpr int kNone = 0;
        constexpr int kIdle = 3 << 13;
        if (normal != reads_normally_ && syscall(SYS_ioprio_set, kWhoProcess, 0, normal ? kNone : kIdle) == 0)
            reads_normally_ = normal;
    }

    /// Nothing of one file is there when the next is scanned.
    void clean_scratch() {
        if (!is_empty_directory(setup_.scratch.get()) && !empty_directory(setup_.scratch.get()))
            scans_ = kScansPerLife; // the zygote removes it with this worker
    }

    bool send(const scan::ScanReply& reply) {
        if (scans_ + 1 >= kScansPerLife)
            ::shutdown(setup_.gate.get(), SHUT_RD);
        auto sent = send_record(setup_.gate.get(), reply);
        if (!sent && sent.error().errno_value() == EAGAIN && ipc::wait_writable(setup_.gate.get(), kAnswerTimeoutMs))
            sent = send_record(setup_.gate.get(), reply);
        return sent.has_value();
    }

    WorkerSetup setup_;
    unsigned scans_ = 0;
    bool reads_normally_ = true;
};

void take_signals() {
    struct sigaction action {};
    action.sa_handler = [](int) { asked_to_end = 1; };
    sigaction(SIGTERM, &action, nullptr);
    // Too large a temporary file is an error to libclamav, not the end.
    action.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &action, nullptr);
    sigaction(SIGPIPE, &action, nullptr);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

Result<Confinement> prepare(WorkerSetup& setup) {
    PICKET_TRY(sandbox::die_with_parent(setup.zygote));
    PICKET_TRY(sandbox::become_undumpable());
    PICKET_TRY(setup.engine->use_temporary_directory(setup.scratch_path));
    return confine_worker(setup.scratch.get(), setup.usage);
}

} // namespace

std::int64_t monotonic_ms() {
    return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void run_worker(WorkerSetup setup) {
    prctl(PR_SET_NAME, "picket-worker", 0, 0, 0);
    take_signals();
    const auto confinement = prepare(setup);
    if (!confinement)
        end(WorkerExit::not_confined);
    scan::EngineHello hello;
    hello.role = scan::ConnectionRole::worker;
    hello.worker_pid = static_cast<std::uint32_t>(getpid());
    hello.signature_count = setup.engine->signature_count();
    hello.seccomp = confinement->seccomp ? 1 : 0;
    hello.landlock_abi = static_cast<std::uint32_t>(confinement->landlock_abi);
    scan::set_field(hello.definitions, setup.generation);
    scan::set_field(hello.engine_version, engine_core::library_version());
    if (!send_record(setup.gate.get(), hello))
        end(WorkerExit::gate_gone);
    end(Worker(std::move(setup)).run());
}

} // namespace picket::engine
