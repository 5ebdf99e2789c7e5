#include "service.h"

#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/data/json.h>

namespace picket::remedy {
namespace {

using data::Json;

Error usage(std::string message) {
    return Error(ErrorCode::invalid_input, std::move(message));
}

Result<std::uint64_t> get_unsigned(const Json& object, std::string_view key) {
    return static_cast<std::uint64_t>(PICKET_TRY(data::get_integer(object, key)));
}

Result<Json> quarantine(Vault& vault, const Json& parameters, const ipc::Message& message) {
    if (message.descriptors.size() != 1)
        return usage(fmt::format("quarantine takes one descriptor, not {}", message.descriptors.size()));
    QuarantineRequest request;
    request.id = PICKET_TRY(data::get_string(parameters, "quarantine_id"));
    request.path = data::path_of(parameters, "path");
    request.threat_name = data::string_or(parameters, "threat_name", "");
    request.threat_id = data::string_or(parameters, "threat_id", "");
    request.definitions = data::string_or(parameters, "definitions", "");
    const Json& expected = data::member(parameters, "expected");
    request.device = PICKET_TRY(get_unsigned(expected, "device"));
    request.inode = PICKET_TRY(get_unsigned(expected, "inode"));
    request.size_bytes = PICKET_TRY(get_unsigned(expected, "size"));
    UniqueFd taken_out;
    if (data::bool_or(parameters, "put_away", false))
        taken_out = PICKET_TRY(ipc::peek_descriptor(message.descriptors.front().get()));
    const int file = taken_out ? taken_out.get() : message.descriptors.front().get();
    const QuarantineOutcome outcome = PICKET_TRY(vault.quarantine(request, file));
    if (!outcome.removed)
        return Json{{"removed", false}, {"reason", outcome.reason}, {"message", outcome.message}};
    return Json{{"removed", true},
                {"sha256", outcome.sha256},
                {"size_bytes", outcome.size_bytes},
                {"hard_links", outcome.hard_links}};
}

Result<Json> restore(Vault& vault, const Json& parameters, const ipc::Message&) {
    RestoreRequest request;
    request.id = PICKET_TRY(data::get_string(parameters, "quarantine_id"));
    request.destination = data::path_of(parameters, "destination");
    request.overwrite = data::bool_or(parameters, "overwrite", false);
    const RestoreOutcome outcome = PICKET_TRY(vault.restore(request));
    Json result{{"sha256", outcome.sha256}};
    data::set_path(result, "path", outcome.path);
    return result;
}

Result<Json> list(Vault& vault, const Json& parameters, const ipc::Message&) {
    if (const Json& id = data::member(parameters, "quarantine_id"); id.is_string())
        return Json{{"items", Json::array({PICKET_TRY(vault.find(id.get<std::string>()))})}, {"more", false}};
    ListPage page = vault.list(data::string_or(parameters, "after", ""), kListPage);
    return Json{{"items", std::move(page.items)}, {"more", page.more}};
}

Result<Json> remove(Vault& vault, const Json& parameters, const ipc::Message&) {
    const std::string id = PICKET_TRY(data::get_string(parameters, "quarantine_id"));
    PICKET_TRY(vault.remove(id));
    return Json::object();
}

Result<Json> package_file(sys::PackageFiles* packages, const Json& parameters) {
    const std::string path = data::path_of(parameters, "path");
    if (!path.starts_with('/'))
        return usage("package_file takes an absolute path");
    const auto record = packages == nullptr ? std::nullopt : packages->find(path);
    if (packages != nullptr && !packages->are_readable())
        return Error(ErrorCode::unavailable, "the records of the package manager cannot be read");
    if (!record)
        return Json{{"found", false}};
    return Json{{"found", true},
                {"package", escape_for_display(record->package)},
                {"digest_kind", record->digest_kind == sys::RecordedDigestKind::sha256 ? "sha256" : "md5"},
                {"digest", record->digest}};
}

struct OperationRow {
    const char* name;
    Result<Json> (*run)(Vault&, const Json&, const ipc::Message&);
};
constexpr std::array<OperationRow, 4> kOperations{{
    {"quarantine", quarantine},
    {"restore", restore},
    {"remove", remove},
    {"list", list},
}};

Result<Json> dispatch(Vault& vault, const ipc::Message& message, sys::PackageFiles* packages) {
    const Json request = PICKET_TRY(data::parse_json(message.content));
    if (!request.is_object())
        return usage("a request is one JSON object");
    const std::string name = PICKET_TRY(data::get_string(request, "op"));
    if (name == "package_file")
        return package_file(packages, request);
    for (const OperationRow& row : kOperations)
        if (name == row.name)
            return row.run(vault, request, message);
    return usage(fmt::format("unknown op '{}': it is quarantine, restore, remove, list or package_file",
                             escape_for_display(name.substr(0, 64))));
}

} // namespace

std::string answer(Vault& vault, const ipc::Message& request, sys::PackageFiles* packages) {
    auto result = dispatch(vault, request, packages);
    if (!result) {
        const Json error{{"code", to_string(result.error().code())}, {"message", result.error().message()}};
        return data::to_text(Json{{"ok", false}, {"error", error}});
    }
    (*result)["ok"] = true;
    return data::to_text(*result);
}

} // namespace picket::remedy
