#include <array>

#include <fmt/format.h>
#include <picket/install/files.h>
#include <picket/install/repository.h>

#include "handlers.h"

namespace picket::install {
namespace {

using data::Json;

// ---- repository.trust: rpm's own keyring; apt has none that would have to know

Result<Json> prepare_trust(const HandlerContext& context, const Step& step) {
    if (context.ports.repositories == nullptr)
        return Json{{"added", Json::array()}};
    const auto keys = data::strings_of(data::member(step.parameters, "keys"));
    return Json{{"added", PICKET_TRY(context.ports.repositories->missing_keys(keys))}};
}

StepOutcome apply_trust(const HandlerContext& context, const Step& step, const Json&) {
    std::vector<std::string> keys;
    for (const std::string& path : data::strings_of(data::member(step.parameters, "files"))) {
        auto key = context.ports.root.read(path, kibibytes(256));
        if (!key)
            return outcome_of(key.error(), InstallerExit::installation_failed);
        keys.push_back(std::move(*key));
    }
    if (const auto trusted = context.ports.repositories->trust(keys); !trusted)
        return outcome_of(trusted, InstallerExit::installation_failed);
    const auto former = data::strings_of(data::member(step.parameters, "former_keys"));
    return outcome_of(context.ports.repositories->forget(former), InstallerExit::installation_failed,
                      fmt::format("{} keys", keys.size()));
}

Result<void> undo_trust(const HandlerContext& context, const Step&, const Json& record) {
    if (context.ports.repositories == nullptr)
        return {};
    return context.ports.repositories->forget(data::strings_of(data::member(record, "added")));
}

// ---- repository.remove

StepOutcome apply_remove(const HandlerContext& context, const Step& step, const Json&) {
    for (const std::string& path : data::strings_of(data::member(step.parameters, "files")))
        if (const auto gone = context.ports.root.remove(path); !gone)
            return outcome_of(gone.error(), InstallerExit::uninstallation_failed);
    if (context.ports.repositories == nullptr)
        return {};
    return outcome_of(context.ports.repositories->forget(data::strings_of(data::member(step.parameters, "keys"))),
                      InstallerExit::uninstallation_failed);
}

constexpr std::array kRepositoryHandlers{
    Handler{"repository.trust", prepare_trust, apply_trust, undo_trust},
    Handler{"repository.remove", prepare_nothing, apply_remove, undo_nothing},
};

} // namespace

std::span<const Handler> repository_handlers() {
    return kRepositoryHandlers;
}

StepOutcome install_from_repository(const HandlerContext& context, const Step& step) {
    const std::string url = data::string_or(step.parameters, "repository", "");
    if (context.ports.repositories == nullptr)
        return outcome_of(Error(ErrorCode::not_found, "this host has no package manager that fetches"),
                          InstallerExit::installation_failed);
    const bool mend = data::bool_or(step.parameters, "mend", false);
    const std::string version = data::string_or(step.parameters, "version", "");
    const auto installed =
        context.ports.repositories->install(data::string_or(step.parameters, "package", files::kPackageName), version,
                                            mend ? sys::PackageWish::mend : sys::PackageWish::install);
    if (!installed)
        return {.failure = repository_failure(url, installed.error())};
    return {.detail = fmt::format("{} {}", context.ports.repositories->name(), version)};
}

} // namespace picket::install
