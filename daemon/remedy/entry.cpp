#include "entry.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::remedy {
namespace {

using data::Json;

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kCounterBytes = 16;
constexpr std::array<std::pair<EntryState, const char*>, 3> kStates{{
    {EntryState::copied, "copied"},
    {EntryState::complete, "complete"},
    {EntryState::restoring, "restoring"},
}};

const char* name_of(EntryState state) {
    return std::find_if(kStates.begin(), kStates.end(), [&](const auto& row) { return row.first == state; })->second;
}

Result<EntryState> state_from(const std::string& name) {
    const auto row =
        std::find_if(kStates.begin(), kStates.end(), [&](const auto& each) { return name == each.second; });
    if (row == kStates.end())
        return Error(ErrorCode::corrupt, fmt::format("unknown state '{}'", escape_for_display(name)));
    return row->first;
}

/// A file name that we made ourselves, or nothing; a path here would lead the start-up pass astray.
Result<std::string> own_name(const Json& document, std::string_view key) {
    std::string name = data::string_or(document, key, "");
    if (name.find('/') != std::string::npos || (!name.empty() && name.rfind("picket-", 0) != 0))
        return Error(ErrorCode::corrupt, fmt::format("'{}' is no name of ours", key));
    return name;
}

/// Numbers of the kernel are unsigned 64 bit; JSON integers of ours are signed: the bits are kept.
Result<std::uint64_t> get_bits(const Json& document, std::string_view key) {
    return static_cast<std::uint64_t>(PICKET_TRY(data::get_integer(document, key)));
}

Result<ByteVector> get_secret(const Json& document, std::string_view key, std::size_t length) {
    const std::string text = PICKET_TRY(data::get_string(document, key));
    ByteVector bytes = PICKET_TRY(from_hex(text));
    if (bytes.size() != length)
        return Error(ErrorCode::corrupt, fmt::format("'{}' has the wrong length", key));
    return bytes;
}

Result<FileIdentity> parse_identity(const Json& document) {
    FileIdentity identity;
    identity.device = PICKET_TRY(get_bits(document, "device"));
    identity.inode = PICKET_TRY(get_bits(document, "inode"));
    identity.size_bytes = PICKET_TRY(get_bits(document, "size_bytes"));
    identity.modified.tv_sec = PICKET_TRY(data::get_integer(document, "modified_s"));
    identity.modified.tv_nsec = PICKET_TRY(data::get_integer(document, "modified_ns"));
    identity.generation = PICKET_TRY(data::get_integer(document, "generation"));
    if (identity.modified.tv_nsec < 0 || identity.modified.tv_nsec >= 1'000'000'000)
        return Error(ErrorCode::corrupt, "'modified_ns' is out of range");
    return identity;
}

Result<Entry> parse_document(const Json& document) {
    Entry entry;
    if (PICKET_TRY(data::get_integer(document, "format")) != kFormat)
        return Error(ErrorCode::corrupt, "written by another version");
    entry.id = PICKET_TRY(data::get_string(document, "quarantine_id"));
    const std::string state = PICKET_TRY(data::get_string(document, "state"));
    entry.state = PICKET_TRY(state_from(state));
    entry.path = data::path_of(document, "path");
    entry.threat_name = data::string_or(document, "threat_name", "");
    entry.threat_id = data::string_or(document, "threat_id", "");
    entry.definitions = data::string_or(document, "definitions", "");
    entry.sha256 = PICKET_TRY(data::get_string(document, "sha256"));
    entry.identity = PICKET_TRY(parse_identity(document));
    entry.uid = static_cast<uid_t>(PICKET_TRY(get_bits(document, "uid")));
    entry.gid = static_cast<gid_t>(PICKET_TRY(get_bits(document, "gid")));
    entry.mode = static_cast<mode_t>(PICKET_TRY(get_bits(document, "mode")) & 07777);
    entry.quarantined = data::string_or(document, "quarantined", "");
    entry.removal_name = PICKET_TRY(own_name(document, "removal_name"));
    entry.restore_path = data::path_of(document, "restore_path");
    entry.restore_name = PICKET_TRY(own_name(document, "restore_name"));
    entry.key = PICKET_TRY(get_secret(document, "key", kKeyBytes));
    entry.counter = PICKET_TRY(get_secret(document, "counter", kCounterBytes));
    return entry;
}

} // namespace

FileIdentity FileIdentity::of(const struct stat& status) {
    FileIdentity identity;
    identity.device = status.st_dev;
    identity.inode = status.st_ino;
    identity.size_bytes = static_cast<std::uint64_t>(status.st_size);
    identity.modified = status.st_mtim;
    return identity;
}

bool FileIdentity::same_content_time(const struct stat& status) const {
    return static_cast<std::uint64_t>(status.st_size) == size_bytes && status.st_mtim.tv_sec == modified.tv_sec &&
           status.st_mtim.tv_nsec == modified.tv_nsec;
}

bool is_entry_id(std::string_view id) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !id.empty() && id.size() <= 64 && id.front() != '-' && std::all_of(id.begin(), id.end(), allowed);
}

std::string to_document(const Entry& entry) {
    Json document{{"format", kFormat},
                  {"quarantine_id", entry.id},
                  {"state", name_of(entry.state)},
                  {"threat_name", entry.threat_name},
                  {"threat_id", entry.threat_id},
                  {"definitions", entry.definitions},
                  {"sha256", entry.sha256},
                  {"device", static_cast<std::int64_t>(entry.identity.device)},
                  {"inode", static_cast<std::int64_t>(entry.identity.inode)},
                  {"size_bytes", static_cast<std::int64_t>(entry.identity.size_bytes)},
                  {"modified_s", entry.identity.modified.tv_sec},
                  {"modified_ns", entry.identity.modified.tv_nsec},
                  {"generation", entry.identity.generation},
                  {"uid", entry.uid},
                  {"gid", entry.gid},
                  {"mode", entry.mode},
                  {"quarantined", entry.quarantined},
                  {"removal_name", entry.removal_name},
                  {"restore_name", entry.restore_name},
                  {"key", to_hex(entry.key)},
                  {"counter", to_hex(entry.counter)}};
    data::set_path(document, "path", entry.path);
    data::set_path(document, "restore_path", entry.restore_path);
    return data::to_pretty_text(document);
}

Result<Entry> parse_entry(const std::string& id, std::string_view document) {
    const auto json = data::parse_json(document);
    auto entry = json ? parse_document(*json) : Result<Entry>(json.error());
    if (!entry)
        return Error(ErrorCode::corrupt, fmt::format("{}.json: {}", id, entry.error().message()));
    if (entry->id != id)
        return Error(ErrorCode::corrupt, fmt::format("{}.json names another entry", id));
    return entry;
}

Json to_listing(const Entry& entry) {
    Json item{{"quarantine_id", entry.id},
              {"threat_name", entry.threat_name},
              {"threat_id", entry.threat_id},
              {"definitions", entry.definitions},
              {"sha256", entry.sha256},
              {"size_bytes", static_cast<std::int64_t>(entry.identity.size_bytes)},
              {"uid", entry.uid},
              {"gid", entry.gid},
              {"mode", fmt::format("{:04o}", entry.mode)},
              {"quarantined", entry.quarantined}};
    data::set_path(item, "path", entry.path);
    return item;
}

} // namespace picket::remedy
