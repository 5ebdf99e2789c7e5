#include "closer.h"

#include <fcntl.h>

#include <picket/ipc/seqpacket.h>

#include "log.h"

namespace picket::daemon {
namespace {

Closer* g_closer = nullptr; ///< a disposer is a plain function

} // namespace

Closer::Closer(const Errands& errands) : errands_(errands) {
    on_tick();
    g_closer = this;
    ipc::FileSocket::set_disposer([](UniqueFd socket) { g_closer->close(std::move(socket)); });
}

Closer::~Closer() {
    ipc::FileSocket::set_disposer(nullptr);
    g_closer = nullptr;
}

/// False where the errand takes nothing more.
bool Closer::send(int socket) {
    return errand_ && ipc::send_message(errand_.get(), "c", {socket}).has_value();
}

/// Once ours are closed: before that the errand could be done with its own, and ours would be the last.
void Closer::let_it_close() {
    (void)ipc::send_message(errand_.get(), "now"); // else with the next
}

void Closer::close(UniqueFd socket) {
    std::lock_guard lock(mutex_);
    if (!send(socket.get())) {
        waiting_.push_back(std::move(socket));
        return;
    }
    socket.reset();
    let_it_close();
}

void Closer::on_tick() {
    std::lock_guard lock(mutex_);
    if (errand_ && waiting_.empty())
        return;
    const UniqueFd nothing(open("/", O_PATH | O_CLOEXEC));
    auto begun = errands_.begin(Errands::Kind::close, nothing.get());
    if (!begun)
        return log(LogLevel::warning, "no errand closes files: " + begun.error().message());
    errand_ = std::move(*begun).release();
    std::erase_if(waiting_, [this](const UniqueFd& socket) { return send(socket.get()); });
    let_it_close();
}

} // namespace picket::daemon
