#include "passphrase.h"

#include <cerrno>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <picket/base/scope_exit.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/digest.h>
#include <picket/crypto/key_file.h>
#include <picket/sys/file.h>

namespace picket::onboarding {
namespace {

constexpr std::size_t kMaxPassphrase = 1024;

/// Reads keys until Enter. The terminal sends Ctrl-C as a key, so that echo is always put back.
Result<std::string> read_line(int terminal) {
    constexpr char kCtrlC = 3, kCtrlD = 4, kBackspace = 8, kDelete = 127;
    std::string line;
    for (;;) {
        char key = 0;
        const ssize_t got = read(terminal, &key, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || key == kCtrlC || key == kCtrlD) {
            crypto::cleanse(line);
            return Error(ErrorCode::cancelled, "no passphrase was given");
        }
        if (key == '\n' || key == '\r')
            return line;
        if (key == kBackspace || key == kDelete) {
            if (!line.empty())
                line.pop_back();
        } else if (line.size() < kMaxPassphrase) {
            line += key;
        }
    }
}

} // namespace

Result<crypto::Secret> passphrase_from_file(const std::string& path) {
    const crypto::Secret content = PICKET_TRY(crypto::read_secret_file(path));
    std::string_view line = split(content.text(), '\n')[0];
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    if (line.empty() || line.size() > kMaxPassphrase)
        return Error(ErrorCode::invalid_input,
                     escape_for_display(path) + ": its first line must be the passphrase, 1 to 1024 bytes");
    return crypto::Secret(line);
}

Result<crypto::Secret> ask_passphrase(const std::string& prompt) {
    const UniqueFd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
    termios before{};
    if (!terminal || tcgetattr(terminal.get(), &before) != 0)
        return Error(ErrorCode::unavailable, "no terminal to ask for the passphrase on; use --passphrase-file");
    termios quiet = before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    if (tcsetattr(terminal.get(), TCSAFLUSH, &quiet) != 0)
        return Error::from_errno(errno, "terminal");
    ScopeExit restore([&] { tcsetattr(terminal.get(), TCSAFLUSH, &before); });
    PICKET_TRY(sys::write_all(terminal.get(), prompt + ": "));
    auto line = read_line(terminal.get());
    PICKET_TRY(sys::write_all(terminal.get(), "\n"));
    if (!line)
        return line.error();
    crypto::Secret secret{std::string_view(*line)};
    crypto::cleanse(*line);
    return secret;
}

Result<crypto::Secret> ask_new_passphrase() {
    for (std::string hint;; hint = "They differ. ") {
        crypto::Secret first = PICKET_TRY(ask_passphrase(hint + "New passphrase for the key"));
        const crypto::Secret second = PICKET_TRY(ask_passphrase("The same again"));
        if (first.size() == 0)
            return Error(ErrorCode::cancelled, "no passphrase was given");
        if (crypto::equal_constant_time(first.bytes(), second.bytes()))
            return first;
    }
}

} // namespace picket::onboarding
