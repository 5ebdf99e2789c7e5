#include "service.h"

#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/data/json.h>

namespace picket::updater {
namespace {

using data::Json;
using updates::Outcome;
using updates::Updater;

Json to_json(const Outcome& outcome) {
    Json json{{"status", updates::to_string(outcome.status)}, {"received", outcome.received}};
    if (!outcome.generation.empty())
        json["generation"] = outcome.generation;
    if (outcome.version > 0)
        json["version"] = outcome.version;
    if (!outcome.reason.empty())
        json["reason"] = outcome.reason;
    if (!outcome.message.empty())
        json["message"] = outcome.message;
    json["news"] = outcome.news;
    return json;
}

Result<Json> prepare(Updater& updater, const Json&) {
    return to_json(updater.prepare());
}

Result<Json> rollback(Updater& updater, const Json&) {
    return to_json(updater.prepare_rollback());
}

Result<Json> commit(Updater& updater, const Json& request) {
    const std::string generation = PICKET_TRY(data::get_string(request, "generation"));
    PICKET_TRY(updater.commit(generation));
    return Json::object();
}

Result<Json> refuse(Updater& updater, const Json& request) {
    const std::string generation = PICKET_TRY(data::get_string(request, "generation"));
    PICKET_TRY(updater.refuse(generation, data::string_or(request, "message", "")));
    return Json::object();
}

Result<Json> status(Updater& updater, const Json&) {
    return updater.status();
}

struct OperationRow {
    const char* name;
    Result<Json> (*run)(Updater&, const Json&);
};
constexpr std::array<OperationRow, 5> kOperations{
    {{"prepare", prepare}, {"prepare_rollback", rollback}, {"commit", commit}, {"refuse", refuse}, {"status", status}}};

Result<Json> dispatch(Updater& updater, std::string_view text) {
    const Json request = PICKET_TRY(data::parse_json(text));
    const std::string name = PICKET_TRY(data::get_string(request, "op"));
    for (const OperationRow& row : kOperations)
        if (name == row.name)
            return row.run(updater, request);
    return Error(ErrorCode::invalid_input, fmt::format("unknown op '{}'", escape_for_display(name.substr(0, 64))));
}

} // namespace

std::string answer(Updater& updater, std::string_view request) {
    auto result = dispatch(updater, request);
    if (!result) {
        const Json error{{"code", to_string(result.error().code())}, {"message", result.error().message()}};
        return data::to_text(Json{{"ok", false}, {"error", error}});
    }
    (*result)["ok"] = true;
    return data::to_text(*result);
}

} // namespace picket::updater
