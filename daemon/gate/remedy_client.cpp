#include "remedy_client.h"

#include <array>
#include <utility>

#include <picket/ipc/seqpacket.h>

namespace picket::daemon {
namespace {

constexpr int kAnswerWithinMs = 60'000; ///< copying and syncing a large file takes its time

Error error_of(const data::Json& answer) {
    static constexpr std::array<std::pair<std::string_view, ErrorCode>, 7> kCodes{
        {{"not_found", ErrorCode::not_found},
         {"conflict", ErrorCode::conflict},
         {"permission", ErrorCode::permission},
         {"exhausted", ErrorCode::exhausted},
         {"corrupt", ErrorCode::corrupt},
         {"invalid_input", ErrorCode::invalid_input},
         {"unavailable", ErrorCode::unavailable}}};
    const data::Json& error = data::member(answer, "error");
    const std::string code = data::string_or(error, "code", "internal");
    for (const auto& [name, value] : kCodes)
        if (name == code)
            return Error(value, data::string_or(error, "message", "picket-remedy refused"));
    return Error(ErrorCode::internal, data::string_or(error, "message", "picket-remedy failed"));
}

} // namespace

Result<data::Json> RemedyClient::ask(const data::Json& request, int file) const {
    const auto connection = ipc::connect_to(path_);
    if (!connection)
        return Error(ErrorCode::unavailable, "picket-remedy cannot be reached: " + connection.error().message());
    std::vector<int> descriptors;
    if (file >= 0)
        descriptors.push_back(file);
    PICKET_TRY(ipc::send_message(connection->get(), data::to_text(request), descriptors));
    if (!ipc::wait_readable(connection->get(), kAnswerWithinMs))
        return Error(ErrorCode::unavailable, "picket-remedy did not answer in time");
    const std::string message = PICKET_TRY(ipc::receive_content(connection->get()));
    data::Json answer = PICKET_TRY(data::parse_json(message));
    if (!data::bool_or(answer, "ok", false))
        return error_of(answer);
    return answer;
}

Result<RemedyClient::Quarantined> RemedyClient::quarantine(const Target& target, int file, bool put_away) const {
    data::Json request{{"op", "quarantine"},
                       {"quarantine_id", target.quarantine_id},
                       {"threat_name", target.threat_name},
                       {"threat_id", target.threat_id},
                       {"definitions", target.definitions},
                       {"expected", {{"device", target.device}, {"inode", target.inode}, {"size", target.size}}}};
    if (put_away)
        request["put_away"] = true;
    data::set_path(request, "path", target.path);
    const data::Json answer = PICKET_TRY(ask(request, file));
    return Quarantined{data::bool_or(answer, "removed", false), data::string_or(answer, "sha256", ""),
                       data::string_or(answer, "reason", ""), data::string_or(answer, "message", "")};
}

Result<RemedyClient::Restored> RemedyClient::restore(const std::string& quarantine_id, const std::string& destination,
                                                     bool overwrite) const {
    data::Json request{{"op", "restore"}, {"quarantine_id", quarantine_id}, {"overwrite", overwrite}};
    if (!destination.empty())
        data::set_path(request, "destination", destination);
    const data::Json answer = PICKET_TRY(ask(request));
    return Restored{data::path_of(answer, "path"), data::string_or(answer, "sha256", "")};
}

Result<void> RemedyClient::remove(const std::string& quarantine_id) const {
    PICKET_TRY(ask({{"op", "remove"}, {"quarantine_id", quarantine_id}}));
    return {};
}

Result<std::optional<sys::PackageFileRecord>> RemedyClient::package_file(std::string_view path) const {
    data::Json request{{"op", "package_file"}};
    data::set_path(request, "path", std::string(path));
    const data::Json answer = PICKET_TRY(ask(request));
    if (!data::bool_or(answer, "found", false))
        return std::optional<sys::PackageFileRecord>{};
    const bool sha256 = data::string_or(answer, "digest_kind", "") == "sha256";
    return std::optional(sys::PackageFileRecord{data::string_or(answer, "package", "?"),
                                                sha256 ? sys::RecordedDigestKind::sha256 : sys::RecordedDigestKind::md5,
                                                data::string_or(answer, "digest", "")});
}

Result<data::Json> RemedyClient::find(const std::string& quarantine_id) const {
    const data::Json answer = PICKET_TRY(ask({{"op", "list"}, {"quarantine_id", quarantine_id}}));
    const data::Json& items = data::member(answer, "items");
    if (!items.is_array() || items.size() != 1)
        return Error(ErrorCode::internal, "picket-remedy gave no entry");
    return items.front();
}

Result<data::Json> RemedyClient::list() const {
    data::Json items = data::Json::array();
    std::string after;
    for (;;) {
        const data::Json page = PICKET_TRY(ask({{"op", "list"}, {"after", after}}));
        for (const data::Json& item : data::member(page, "items"))
            items.push_back(item);
        if (!data::bool_or(page, "more", false) || data::member(page, "items").empty())
            return items;
        after = data::string_or(data::member(page, "items").back(), "quarantine_id", "");
    }
}

} // namespace picket::daemon
