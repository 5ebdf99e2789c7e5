#include "service.h"

#include <array>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/data/json.h>

namespace picket::updater {
namespace {

using data::Json;
using updates::Outcome;

constexpr std::int64_t kGreatestAge = 366 * 86'400;

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

Result<Json> prepare(const Services& services, const Json& request) {
    const std::int64_t age = data::integer_or(request, "minimum_age_seconds", 0);
    if (age < 0 || age > kGreatestAge)
        return Error(ErrorCode::invalid_input,
                     fmt::format("\"minimum_age_seconds\" must be 0 to {}, not {}", kGreatestAge, age));
    const Outcome outcome = services.updater.prepare(std::chrono::seconds(age));
    Json json = to_json(outcome);
    if (outcome.status == Outcome::Status::held)
        json["held"] = data::member(services.updater.status(), "held");
    return json;
}

Result<Json> rollback(const Services& services, const Json&) {
    return to_json(services.updater.prepare_rollback());
}

Result<Json> commit(const Services& services, const Json& request) {
    const std::string generation = PICKET_TRY(data::get_string(request, "generation"));
    PICKET_TRY(services.updater.commit(generation));
    return Json::object();
}

Result<Json> refuse(const Services& services, const Json& request) {
    const std::string generation = PICKET_TRY(data::get_string(request, "generation"));
    PICKET_TRY(services.updater.refuse(generation, data::string_or(request, "message", "")));
    return Json::object();
}

Result<Json> status(const Services& services, const Json&) {
    return services.updater.status();
}

Result<Json> test(const Services& services, const Json&) {
    const auto report = services.test();
    if (!report)
        return report.error();
    return Json{{"report", connectivity::to_json(*report)}};
}

struct OperationRow {
    const char* name;
    Result<Json> (*run)(const Services&, const Json&);
    bool uses_updater; ///< one at a time
};
constexpr std::array<OperationRow, 6> kOperations{{{"prepare", prepare, true},
                                                   {"prepare_rollback", rollback, true},
                                                   {"commit", commit, true},
                                                   {"refuse", refuse, true},
                                                   {"status", status, true},
                                                   {"connectivity", test, false}}};

Result<Json> dispatch(const Services& services, std::string_view text) {
    const Json request = PICKET_TRY(data::parse_json(text));
    const std::string name = PICKET_TRY(data::get_string(request, "op"));
    for (const OperationRow& row : kOperations)
        if (name == row.name) {
            std::unique_lock lock(services.updating, std::defer_lock);
            if (row.uses_updater)
                lock.lock();
            return row.run(services, request);
        }
    return Error(ErrorCode::invalid_input, fmt::format("unknown op '{}'", escape_for_display(name.substr(0, 64))));
}

} // namespace

std::string answer(const Services& services, std::string_view request) {
    auto result = dispatch(services, request);
    if (!result) {
        const Json error{{"code", to_string(result.error().code())}, {"message", result.error().message()}};
        return data::to_text(Json{{"ok", false}, {"error", error}});
    }
    (*result)["ok"] = true;
    return data::to_text(*result);
}

} // namespace picket::updater
