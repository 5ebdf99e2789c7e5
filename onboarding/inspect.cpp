#include <picket/model/exit_code.h>
#include <picket/trust/onboarding.h>

#include "context.h"

namespace picket::onboarding {
namespace {

const std::vector<std::string_view> kOrder{"file",       "status", "organisation",    "key_id",    "public_key",
                                           "package_id", "issued", "expires",         "endpoints", "proxy",
                                           "no_proxy",   "tags",   "ca_certificates", "profiles",  "warnings"};

/// The enrolment token is left out on purpose.
data::Json to_json(const std::string& file, const trust::OnboardingPackage& package, WallTime now) {
    data::Json profiles = data::Json::array();
    for (const auto& profile : package.profiles)
        profiles.push_back(profile.first);
    data::Json json{
        {"status", now >= package.expires                          ? "expired"
                   : now + std::chrono::hours(24) < package.issued ? "not_yet_valid"
                                                                   : "valid"},
        {"organisation",
         {{"id", package.organisation.id},
          {"name", package.organisation.name},
          {"region", package.organisation.region}}},
        {"key_id", package.key_id},
        {"public_key", package.key.to_base64()},
        {"package_id", package.package_id},
        {"issued", to_rfc3339(package.issued)},
        {"expires", to_rfc3339(package.expires)},
        {"endpoints", data::Json(package.endpoints)},
        {"tags", data::Json(package.tags)},
        {"ca_certificates", package.ca_certificates.size()},
        {"profiles", std::move(profiles)},
        {"warnings", data::Json(package.warnings)},
    };
    data::set_path(json, "file", file);
    if (!package.proxy.empty())
        json["proxy"] = package.proxy;
    if (!package.no_proxy.empty())
        json["no_proxy"] = data::Json(package.no_proxy);
    return json;
}

int refuse(const Context& context, const Error& error) {
    switch (error.code()) {
    case ErrorCode::not_found:
        return fail(context, static_cast<int>(InstallerExit::onboarding_not_found), "onboarding_not_found",
                    error.message());
    case ErrorCode::permission:
    case ErrorCode::unavailable:
    case ErrorCode::internal:
        return fail(context, error);
    default:
        return fail(context, static_cast<int>(InstallerExit::onboarding_refused), "onboarding_refused",
                    error.message());
    }
}

int open_and_show(const Context& context, trust::OpenOptions options) {
    const std::string file = context.invocation.get("FILE");
    options.now = SystemClock().wall();
    const auto package = trust::open_onboarding_package(file, options);
    if (!package)
        return refuse(context, package.error());
    return show(context, "onboarding_package", to_json(file, *package, options.now), kOrder);
}

} // namespace

int run_inspect(const Context& context) {
    trust::OpenOptions options;
    options.ignore_time = true;
    return open_and_show(context, options);
}

int run_verify(const Context& context) {
    trust::OpenOptions options;
    auto key = trust::read_key_argument(context.invocation.get("--trust-key"));
    if (!key)
        return fail(context, key.error());
    options.trusted_key = *key;
    return open_and_show(context, options);
}

} // namespace picket::onboarding
