#pragma once
#include <cerrno>
#include <csignal>
#include <pty.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_daemon.h"

namespace picket::cli {

/// `picket` on a terminal of its own, while it runs.
class Running {
  public:
    explicit Running(std::vector<std::string> arguments, unsigned short columns = 80) {
        winsize size{};
        size.ws_col = columns;
        size.ws_row = 24;
        int terminal = -1;
        arguments.insert(arguments.begin(), PICKET_PROGRAM);
        std::vector<char*> argv;
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        pid_ = ::forkpty(&terminal, nullptr, nullptr, &size);
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::setenv("TERM", "xterm", 1);
            ::execv(PICKET_PROGRAM, argv.data());
            ::_exit(127);
        }
        terminal_ = UniqueFd(terminal);
    }
    ~Running() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    /// False where it did not come before the end of the output or of our patience.
    bool wait_for(std::string_view text) {
        while (!contains(output, text))
            if (!read_some())
                return false;
        return true;
    }
    void send_signal(int signal) const { ::kill(pid_, signal); }
    int exit_status() {
        while (read_some()) {
        }
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    std::string output;

  private:
    bool read_some() {
        constexpr int kPatience = 30'000;
        char buffer[4096];
        if (!ipc::wait_readable(terminal_.get(), kPatience))
            return false;
        const ssize_t got = ::read(terminal_.get(), buffer, sizeof(buffer));
        if (got <= 0)
            return false; // EIO: the last process on the terminal has ended
        output.append(buffer, static_cast<std::size_t>(got));
        return true;
    }
    pid_t pid_ = -1;
    UniqueFd terminal_;
};

} // namespace picket::cli
