#include "zygote_process.h"

#include <cerrno>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "scratch.h"
#include "worker.h"

namespace picket::engine {
namespace {

constexpr int kRemovalAttempts = 20;
constexpr useconds_t kRemovalPauseUs = 5'000;

std::uint64_t next_number = 0;

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status))
        return fmt::format("crashed (signal {})", WTERMSIG(status));
    return fmt::format("ended by itself (status {})", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

} // namespace

Result<std::unique_ptr<ZygoteProcess>> ZygoteProcess::start(const Setup& setup) {
    std::unique_ptr<ZygoteProcess> process(new ZygoteProcess);
    auto channel = PICKET_TRY(ipc::make_pair());
    process->generation_ = setup.generation;
    process->scratch_name_ = fmt::format("z{}", next_number++);
    process->temporary_directory_ = setup.temporary_directory;
    ZygoteSetup zygote;
    zygote.supervisor = getpid();
    zygote.scratch = PICKET_TRY(make_directory(setup.temporary_directory, process->scratch_name_));
    zygote.scratch_path = setup.temporary_path + "/" + process->scratch_name_;
    zygote.generation = setup.generation;
    zygote.directory = setup.directory;
    zygote.files = setup.files;
    zygote.gate_socket = setup.gate_socket;
    const pid_t pid = fork();
    if (pid == 0) {
        setup.close_in_child();
        channel.first.reset();
        zygote.channel = std::move(channel.second);
        run_zygote(std::move(zygote));
    }
    if (pid < 0)
        return Error::from_errno(errno, "making a process that loads definitions");
    process->pid_ = pid;
    process->channel_ = std::move(channel.first);
    process->started_ms_ = process->last_event_ms_ = monotonic_ms();
    return process;
}

ZygoteProcess::~ZygoteProcess() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL); // its workers die with it
        waitpid(pid_, nullptr, 0);
    }
    // A worker that dies with it may be in the middle of its last system call.
    for (int attempt = 0; attempt < kRemovalAttempts && !scratch_name_.empty(); ++attempt) {
        if (remove_directory(temporary_directory_, scratch_name_))
            return;
        usleep(kRemovalPauseUs);
    }
}

std::int64_t ZygoteProcess::since_start_ms() const {
    return monotonic_ms() - started_ms_;
}
std::int64_t ZygoteProcess::since_last_event_ms() const {
    return monotonic_ms() - last_event_ms_;
}

void ZygoteProcess::send(ZygoteCommand command) {
    // A zygote that does not take eight bytes is found by its silence.
    (void)send_record(channel_.get(), command).has_value();
}

void ZygoteProcess::take_events() {
    ChannelState state = ChannelState::empty;
    while (const auto received = receive_record<ZygoteEvent>(channel_.get(), state)) {
        if (!is_valid(received->record))
            return kill("sent what is no event");
        last_event_ = received->record;
        last_event_ms_ = monotonic_ms();
        if (last_event_.kind == ZygoteEventKind::loaded && state_ == State::loading)
            state_ = State::loaded;
        if (last_event_.kind == ZygoteEventKind::failed && message_.empty())
            message_ = escape_for_display(last_event_.message);
    }
}

void ZygoteProcess::reap() {
    if (pid_ <= 0)
        return;
    int status = 0;
    const pid_t ended = waitpid(pid_, &status, WNOHANG | WUNTRACED);
    if (ended != pid_)
        return;
    if (WIFSTOPPED(status))
        return kill("was stopped from outside");
    pid_ = 0;
    take_events(); // its last words
    if (message_.empty())
        message_ = how_it_ended(status);
    state_ = state_ == State::loading ? State::failed : State::ended;
}

void ZygoteProcess::kill(const std::string& reason) {
    if (message_.empty())
        message_ = reason;
    if (pid_ > 0)
        ::kill(pid_, SIGKILL);
}

ZygoteProcess::State ZygoteProcess::turn() {
    if (pid_ > 0) {
        take_events();
        reap();
    }
    return state_;
}

} // namespace picket::engine
