#include <picket/command_line/interrupt.h>

#include <csignal>
#include <initializer_list>

namespace picket::command_line {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void on_signal(int) {
    g_interrupted = 1;
}

} // namespace

void catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND); // no SA_RESTART: waits end with EINTR
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        ::sigaction(signal, &action, nullptr);
}

bool interrupted() {
    return g_interrupted != 0;
}

} // namespace picket::command_line
