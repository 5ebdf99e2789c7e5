#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <picket/base/result.h>

struct sqlite3;
struct sqlite3_stmt;

namespace picket::store {

/// One connection to SQLite; the only code that includes it is beside this header. For one thread at a time.
class Database {
  public:
    /// Opens an existing file (create_private_file makes one); changes nothing in it.
    static Result<Database> open(const std::string& path);
    /// Write-ahead log and full sync: what is committed survives a power cut.
    Result<void> make_durable() const;

    /// One prepared statement; parameters from 1, columns from 0.
    class Statement {
      public:
        Statement& bind(std::int64_t value);
        Statement& bind(std::uint64_t value) { return bind(static_cast<std::int64_t>(value)); }
        Statement& bind_text(std::string_view value);
        Statement& bind_bytes(std::string_view value); ///< comes back exactly, whatever is in it
        Statement& bind_null();

        /// True where there is a row. After false or an error the statement may be bound again.
        Result<bool> step();
        /// step() of what gives no row.
        Result<void> run();

        std::int64_t integer(int column) const;
        std::uint64_t count(int column) const { return static_cast<std::uint64_t>(integer(column)); }
        std::string bytes(int column) const; ///< of text columns too
        bool is_null(int column) const;

      private:
        friend class Database;
        struct Finalize {
            void operator()(sqlite3_stmt* statement) const;
        };
        Statement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
        void note(int code);
        void rewind();

        sqlite3* database_;
        std::unique_ptr<sqlite3_stmt, Finalize> statement_;
        int next_parameter_ = 1;
        int bind_error_ = 0;
    };
    Result<Statement> prepare(std::string_view sql) const;
    Result<void> execute(const std::string& sql) const;
    std::int64_t last_row_id() const;
    std::int64_t changes() const;

    Result<std::int64_t> user_version() const;
    /// Corrupt, with SQLite's first complaint, where the file's structure is damaged.
    Result<void> check_integrity() const;
    /// A complete copy, also of what is still in the log.
    Result<void> copy_to(const std::string& path) const;

  private:
    struct Close {
        void operator()(sqlite3* database) const;
    };
    explicit Database(sqlite3* database) : database_(database) {}
    std::unique_ptr<sqlite3, Close> database_;
};

/// Rolls back at the end of the scope unless committed.
class Transaction {
  public:
    static Result<Transaction> begin(const Database& database);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Result<void> commit();

  private:
    explicit Transaction(const Database& database) : database_(&database) {}
    const Database* database_;
};

/// Makes the file, empty and 0600, where there is none; an existing one gets 0600. Links and what is no regular file
/// are refused.
Result<void> create_private_file(const std::string& path);

} // namespace picket::store
