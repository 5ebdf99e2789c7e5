#include <picket/store/store.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/bytes.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>

#include "impl.h"
#include "migrations.h"

namespace picket::store {
namespace {

constexpr int kMaximumDamagedFiles = 8;

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

void sync_folder(const std::string& path) {
    const UniqueFd folder(open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder)
        fsync(folder.get());
}

bool exists(const std::string& path) {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
}

/// Opens, checks and brings up to date.
Result<Database> open_checked(const std::string& path) {
    PICKET_TRY(create_private_file(path));
    Database database = PICKET_TRY(Database::open(path));
    PICKET_TRY(check_version(database, path, migrations()));
    PICKET_TRY(database.check_integrity());
    PICKET_TRY(database.make_durable());
    PICKET_TRY(migrate(database, path, migrations()));
    sync_folder(path);
    return database;
}

/// The damaged file keeps its content under another name; when there are many, the last name is used again.
Result<void> move_aside(const std::string& path) {
    int number = 1;
    while (number < kMaximumDamagedFiles && exists(fmt::format("{}.corrupt-{}", path, number)))
        ++number;
    const std::string aside = fmt::format("{}.corrupt-{}", path, number);
    if (rename(path.c_str(), aside.c_str()) != 0)
        return Error::from_errno(errno, fmt::format("rename {}", escape_for_display(path)));
    // Its log must not be taken for that of the new file.
    for (const char* suffix : {"-wal", "-shm", "-journal"})
        if (rename((path + suffix).c_str(), (aside + suffix).c_str()) != 0 && errno != ENOENT)
            return Error::from_errno(errno, fmt::format("rename {}{}", escape_for_display(path), suffix));
    sync_folder(path);
    return {};
}

Result<std::uint64_t> count_rows(const Database& database, const char* table) {
    auto statement = PICKET_TRY(database.prepare(fmt::format("SELECT count(*) FROM {}", table)));
    PICKET_TRY(statement.step());
    return statement.count(0);
}

/// Sequence numbers go on rising although the last one is lost: the clock in milliseconds is above any number that
/// events can have reached by being counted.
EventChain chain_after_loss() {
    const auto now = std::chrono::duration_cast<Milliseconds>(SystemClock().wall().time_since_epoch()).count();
    return empty_chain(static_cast<std::uint64_t>(now));
}

} // namespace

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const std::string& path, const StoreLimits& limits) {
    if (mkdir(folder_of(path).c_str(), 0700) != 0 && errno != EEXIST)
        return Error::from_errno(errno, fmt::format("mkdir {}", escape_for_display(folder_of(path))));
    auto database = open_checked(path);
    bool recovered = false;
    if (!database && database.error().code() == ErrorCode::corrupt) {
        PICKET_TRY(move_aside(path));
        database = open_checked(path);
        recovered = true;
    }
    if (!database)
        return database.error();
    if (recovered)
        PICKET_TRY(write_chain(*database, chain_after_loss()));
    auto impl = std::make_unique<Impl>(path, std::move(*database), limits);
    impl->recovered = recovered;
    impl->chain = PICKET_TRY(load_chain(impl->database));
    impl->event_count = PICKET_TRY(count_rows(impl->database, "events"));
    impl->threat_count = PICKET_TRY(count_rows(impl->database, "threats"));
    return std::unique_ptr<Store>(new Store(std::move(impl)));
}

bool Store::recovered_from_corruption() const {
    return impl_->recovered;
}

std::string new_id() {
    std::array<Byte, 8> bytes{};
    if (syscall(__NR_getrandom, bytes.data(), bytes.size(), 0) != static_cast<long>(bytes.size())) {
        const UniqueFd urandom(open("/dev/urandom", O_RDONLY | O_CLOEXEC)); // before 3.17
        PICKET_CHECK(read(urandom.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    }
    return to_hex(bytes);
}

} // namespace picket::store
