#pragma once
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <picket/ipc/seqpacket.h>

/// Fixed-size records as messages, between programs of one build: nothing is parsed.
namespace picket::ipc {

template <typename Record>
Result<void> send_record(int fd, const Record& record, const std::vector<int>& descriptors = {}) {
    static_assert(std::is_trivially_copyable_v<Record>);
    return send_message(fd, {reinterpret_cast<const char*>(&record), sizeof record}, descriptors);
}

/// Nothing where the message is not of that size. What the fields say is for the caller to check.
template <typename Record>
std::optional<Record> record_of(const std::string& content) {
    static_assert(std::is_trivially_copyable_v<Record>);
    if (content.size() != sizeof(Record))
        return std::nullopt;
    Record record{};
    std::memcpy(&record, content.data(), sizeof record);
    return record;
}

} // namespace picket::ipc
