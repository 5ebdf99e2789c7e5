#include "facts.h"

#include <picket/base/text.h>
#include <picket/store/store.h>

#include "impl.h"

namespace picket::store {

Result<void> write_fact(const Database& database, std::string_view key, std::string_view value) {
    auto statement = PICKET_TRY(database.prepare("INSERT OR REPLACE INTO facts (key, value) VALUES (?, ?)"));
    return statement.bind_bytes(key).bind_bytes(value).run();
}

Result<std::optional<std::string>> read_fact(const Database& database, std::string_view key) {
    auto statement = PICKET_TRY(database.prepare("SELECT value FROM facts WHERE key = ?"));
    statement.bind_bytes(key);
    std::optional<std::string> value;
    if (PICKET_TRY(statement.step()))
        value = statement.bytes(0);
    return value;
}

Result<void> erase_fact(const Database& database, std::string_view key) {
    auto statement = PICKET_TRY(database.prepare("DELETE FROM facts WHERE key = ?"));
    return statement.bind_bytes(key).run();
}

Result<std::uint64_t> read_number(const Database& database, std::string_view key) {
    const auto text = PICKET_TRY(read_fact(database, key));
    return parse_unsigned(text.value_or("0")).value_or(0);
}

Result<void> Store::set_value(const std::string& key, const std::string& value) {
    const std::lock_guard lock(impl_->mutex);
    return write_fact(impl_->database, "value:" + key, value);
}

Result<std::optional<std::string>> Store::value(const std::string& key) const {
    const std::lock_guard lock(impl_->mutex);
    return read_fact(impl_->database, "value:" + key);
}

} // namespace picket::store
