#include "database.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <sqlite3.h>

namespace picket::store {
namespace {

constexpr int kBusyTimeoutMs = 5'000;

ErrorCode code_of(int sqlite_code) {
    switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ErrorCode::unavailable;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
        return ErrorCode::exhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ErrorCode::corrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return ErrorCode::permission;
    case SQLITE_CONSTRAINT:
        return ErrorCode::conflict;
    case SQLITE_IOERR:
        return ErrorCode::unavailable;
    default:
        return ErrorCode::internal;
    }
}

Error error_of(int code, sqlite3* database) {
    const char* text = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
    return Error(code_of(code), fmt::format("state database: {}", text));
}

constexpr const char* kPragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
                                 "PRAGMA journal_size_limit=4194304; PRAGMA trusted_schema=OFF;"
                                 "PRAGMA cell_size_check=ON;";

} // namespace

void Database::Close::operator()(sqlite3* database) const {
    sqlite3_close(database);
}
void Database::Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

Result<Database> Database::open(const std::string& path) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
    Database database(raw);
    if (code != SQLITE_OK)
        return error_of(code, raw);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, kBusyTimeoutMs);
    return database;
}

Result<void> Database::make_durable() const {
    return execute(kPragmas);
}

Result<Database::Statement> Database::prepare(std::string_view sql) const {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    if (code != SQLITE_OK)
        return error_of(code, database_.get());
    return Statement(database_.get(), statement);
}

Result<void> Database::execute(const std::string& sql) const {
    const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? Result<void>() : error_of(code, database_.get());
}

std::int64_t Database::last_row_id() const {
    return sqlite3_last_insert_rowid(database_.get());
}
std::int64_t Database::changes() const {
    return sqlite3_changes(database_.get());
}

Result<std::int64_t> Database::user_version() const {
    Statement statement = PICKET_TRY(prepare("PRAGMA user_version"));
    PICKET_TRY(statement.step());
    return statement.integer(0);
}

Result<void> Database::check_integrity() const {
    Statement statement = PICKET_TRY(prepare("PRAGMA quick_check(1)"));
    if (!PICKET_TRY(statement.step()))
        return {};
    const std::string answer = statement.bytes(0);
    return answer == "ok" ? Result<void>() : Error(ErrorCode::corrupt, fmt::format("state database: {}", answer));
}

Result<void> Database::copy_to(const std::string& path) const {
    PICKET_TRY(create_private_file(path));
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
    const Database copy(raw);
    if (opened != SQLITE_OK)
        return error_of(opened, raw);
    sqlite3_backup* backup = sqlite3_backup_init(raw, "main", database_.get(), "main");
    if (backup == nullptr)
        return error_of(sqlite3_errcode(raw), raw);
    sqlite3_backup_step(backup, -1);
    const int code = sqlite3_backup_finish(backup);
    return code == SQLITE_OK ? Result<void>() : error_of(code, raw);
}

void Database::Statement::note(int code) {
    if (code != SQLITE_OK && bind_error_ == 0)
        bind_error_ = code;
}

Database::Statement& Database::Statement::bind(std::int64_t value) {
    note(sqlite3_bind_int64(statement_.get(), next_parameter_++, value));
    return *this;
}

Database::Statement& Database::Statement::bind_text(std::string_view value) {
    note(sqlite3_bind_text(statement_.get(), next_parameter_++, value.empty() ? "" : value.data(),
                           static_cast<int>(value.size()), SQLITE_TRANSIENT));
    return *this;
}

Database::Statement& Database::Statement::bind_bytes(std::string_view value) {
    note(sqlite3_bind_blob(statement_.get(), next_parameter_++, value.empty() ? "" : value.data(),
                           static_cast<int>(value.size()), SQLITE_TRANSIENT));
    return *this;
}

Database::Statement& Database::Statement::bind_null() {
    note(sqlite3_bind_null(statement_.get(), next_parameter_++));
    return *this;
}

void Database::Statement::rewind() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
    next_parameter_ = 1;
    bind_error_ = 0;
}

Result<bool> Database::Statement::step() {
    const int code = bind_error_ != 0 ? bind_error_ : sqlite3_step(statement_.get());
    if (code == SQLITE_ROW)
        return true;
    if (code == SQLITE_DONE) {
        rewind();
        return false;
    }
    Error error = error_of(code, database_);
    rewind();
    return error;
}

Result<void> Database::Statement::run() {
    while (PICKET_TRY(step())) {
    }
    return {};
}

std::int64_t Database::Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

std::string Database::Statement::bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return data == nullptr ? std::string()
                           : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

bool Database::Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Result<Transaction> Transaction::begin(const Database& database) {
    PICKET_TRY(database.execute("BEGIN IMMEDIATE"));
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
    if (database_ != nullptr)
        (void)database_->execute("ROLLBACK"); // SQLite may have rolled back by itself already
}

Result<void> Transaction::commit() {
    PICKET_TRY(database_->execute("COMMIT"));
    database_ = nullptr;
    return {};
}

Result<void> create_private_file(const std::string& path) {
    constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    const UniqueFd fd(::open(path.c_str(), kFlags, 0600));
    if (!fd)
        return Error::from_errno(errno, fmt::format("open {}", escape_for_display(path)));
    struct stat status {};
    if (fstat(fd.get(), &status) != 0)
        return Error::from_errno(errno, fmt::format("stat {}", escape_for_display(path)));
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, fmt::format("{} is not a regular file", escape_for_display(path)));
    if ((status.st_mode & 07777) != 0600 && fchmod(fd.get(), 0600) != 0)
        return Error::from_errno(errno, fmt::format("chmod {}", escape_for_display(path)));
    return {};
}

} // namespace picket::store
