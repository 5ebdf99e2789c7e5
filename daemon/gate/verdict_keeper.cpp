#include "verdict_keeper.h"

#include <algorithm>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/build_info.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>
#include <picket/sys/mounts.h>

#include "log.h"

namespace picket::daemon {
namespace {

constexpr const char* kFolder = "/var/lib/picket/cache";
constexpr const char* kFile = "/var/lib/picket/cache/verdicts";
constexpr const char* kDigest = "verdict_cache.sha256"; ///< a named value of state.db
constexpr Bytes kLimit = mebibytes(16);

std::string boot_id() {
    const auto text = sys::read_kernel_file("/proc/sys/kernel/random/boot_id", kibibytes(1));
    return text ? std::string(trim(*text)) : "";
}

std::string this_build() {
    return fmt::format("{} {}", build::version(), to_rfc3339(build::built_at()));
}

Error doubtful(const char* what) {
    return Error(ErrorCode::corrupt, fmt::format("{} {}", kFile, what));
}

} // namespace

void VerdictKeeper::start() {
    thread_ = std::thread([this] {
        prctl(PR_SET_NAME, "picket-verdicts");
        run();
    });
}

void VerdictKeeper::join() {
    if (thread_.joinable())
        thread_.join();
}

/// The file's content, once: it is gone, on the disk and from state.db, before anything of it is believed.
Result<gate::VerdictFile> VerdictKeeper::take_file() {
    const auto status = ports_.root.status(kFile);
    if (!status)
        return status.error();
    const auto content = ports_.root.read(kFile, kLimit);
    const auto digest = ports_.store.value(kDigest);
    if (const auto removed = ports_.root.remove(kFile); !removed)
        return doubtful("cannot be removed, so it could be read twice");
    if (const auto forgotten = ports_.store.set_value(kDigest, ""); !forgotten)
        return doubtful("is not believed: state.db cannot be written");
    if (!S_ISREG(status->st_mode) || status->st_uid != geteuid() || (status->st_mode & 077) != 0 ||
        status->st_nlink != 1)
        return doubtful("is not root's alone");
    if (!content)
        return content.error();
    if (!digest || !*digest || **digest != crypto::sha256_hex(*content))
        return doubtful("is not the one that was written last");
    return gate::decode(*content);
}

void VerdictKeeper::run() {
    auto filesystems = watch::identify_filesystems(sys::mounts_now());
    State state;
    const auto file = take_file();
    if (file) {
        const gate::Situation situation{this_build(), boot_id(), ports_.policy.policy()->generation,
                                        ports_.clock.wall(), filesystems};
        auto verdicts = gate::still_valid(*file, situation, state.why_none);
        state.restored = verdicts.size();
        if (!verdicts.empty())
            ports_.gate.post(
                [restored = gate::Gate::Restored{file->engine, file->definitions, file->policy, std::move(verdicts)}](
                    gate::Gate& gate, EngineLink&) mutable { gate.restore_verdicts(std::move(restored)); });
    } else if (file.error().code() != ErrorCode::not_found) {
        state.why_none = file.error().message();
    }
    if (!state.why_none.empty())
        log(LogLevel::info, "the verdicts of the last run do not count: " + state.why_none);
    std::lock_guard lock(mutex_);
    state_ = std::move(state);
    filesystems_ = std::move(filesystems);
}

VerdictKeeper::State VerdictKeeper::state() const {
    std::lock_guard lock(mutex_);
    return state_;
}

void VerdictKeeper::save() {
    const gate::Gate& gate = ports_.gate.stopped_gate();
    gate::VerdictFile file;
    {
        std::lock_guard lock(mutex_);
        file.filesystems = filesystems_;
    }
    const std::vector<sys::Mount> mounts = sys::mounts_now();
    std::erase_if(file.filesystems, [&](const watch::FilesystemIdentity& known) { // gone, or another mount by now
        return std::none_of(mounts.begin(), mounts.end(),
                            [&](const sys::Mount& mount) { return mount.id == known.mount_id; });
    });
    file.verdicts = gate.clean_verdicts();
    file.engine = gate.engine_version();
    file.definitions = gate.definitions();
    if (file.filesystems.empty() || file.verdicts.empty() || file.definitions.empty())
        return;
    file.build = this_build();
    file.boot_id = boot_id();
    file.policy = gate.policy_generation();
    file.saved = ports_.clock.wall();
    const std::string content = gate::encode(file);
    const auto made = ports_.root.make_directories(kFolder, 0700);
    const auto written = made ? ports_.root.write_atomically(kFile, content, 0600) : made;
    const auto noted = written ? ports_.store.set_value(kDigest, crypto::sha256_hex(content)) : written;
    if (!noted)
        log(LogLevel::warning, "the next start begins with an empty cache: " + noted.error().message());
}

} // namespace picket::daemon
