#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/certificate.h>
#include <picket/crypto/key_file.h>
#include <picket/model/exit_code.h>
#include <picket/model/tag.h>
#include <picket/profile/authored.h>
#include <picket/sys/file.h>
#include <picket/trust/rules.h>
#include <picket/trust/time_text.h>

#include "context.h"
#include "organisation.h"

namespace picket::onboarding {
namespace {

/// Everything that a file named on the command line can do wrong is the input's fault.
Result<std::string> read_input(const std::string& path) {
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file)
        return Error(ErrorCode::invalid_input, Error::from_errno(errno, escape_for_display(path)).message());
    auto content = sys::read_all(file.get(), mebibytes(1));
    if (!content)
        return Error(ErrorCode::invalid_input, content.error().with_context(escape_for_display(path)).message());
    return content;
}

Result<trust::Tags> tags_from(const std::vector<std::string>& arguments) {
    trust::Tags tags;
    for (const std::string& argument : arguments) {
        const auto equals = argument.find('=');
        if (equals == std::string::npos)
            return Error(ErrorCode::invalid_input,
                         fmt::format("--tag {}: KEY=VALUE is expected", escape_for_display(argument)));
        PICKET_TRY(check_tag(argument.substr(0, equals), argument.substr(equals + 1)));
        if (!tags.emplace(argument.substr(0, equals), argument.substr(equals + 1)).second)
            return Error(ErrorCode::invalid_input,
                         fmt::format("--tag {}: the key is given twice", escape_for_display(argument)));
    }
    return tags;
}

Result<std::vector<std::string>> certificates_from(const std::vector<std::string>& paths) {
    std::vector<std::string> all;
    for (const std::string& path : paths) {
        const std::string pem = PICKET_TRY(read_input(path));
        auto certificates = crypto::split_ca_certificates(pem);
        if (!certificates)
            return certificates.error().with_context(escape_for_display(path));
        all.insert(all.end(), certificates->begin(), certificates->end());
    }
    return all;
}

std::string profile_name_of(const std::string& path) {
    std::string base = path.substr(path.rfind('/') + 1);
    for (const std::string_view suffix : {".json", ".yaml", ".yml"})
        if (base.ends_with(suffix))
            return base.substr(0, base.size() - suffix.size());
    return base;
}

struct Profiles {
    std::map<std::string, data::Json> documents;
    std::vector<profile::Problem> problems;
};

Result<Profiles> profiles_from(const std::vector<std::string>& paths) {
    Profiles profiles;
    for (const std::string& path : paths) {
        const std::string text = PICKET_TRY(read_input(path));
        const std::string name = profile_name_of(path);
        PICKET_TRY(trust::check_profile_name(name));
        auto rendering = profile::render(text, path);
        profiles.problems.insert(profiles.problems.end(), rendering.problems.begin(), rendering.problems.end());
        if (!profiles.documents.emplace(name, std::move(rendering.document)).second)
            return Error(ErrorCode::invalid_input, fmt::format("two profiles are named {}", name));
    }
    return profiles;
}

Result<trust::OnboardingRequest> request_from(const command_line::Invocation& invocation,
                                              const trust::Organisation& organisation) {
    trust::OnboardingRequest request;
    request.organisation = organisation;
    request.issued = std::chrono::floor<std::chrono::seconds>(SystemClock().wall());
    if (invocation.has("--ttl")) {
        const auto lifetime = trust::parse_duration(invocation.get("--ttl"));
        if (!lifetime)
            return Error(ErrorCode::invalid_input,
                         fmt::format("--ttl {}: a time like 90d, 12h or 30m is expected, at most 3650d",
                                     escape_for_display(invocation.get("--ttl"))));
        request.lifetime = *lifetime;
    }
    for (const auto& [option, name] :
         {std::pair("--definitions-url", "definitions"), std::pair("--console-url", "console")})
        if (invocation.has(option)) {
            PICKET_TRY(trust::check_url(invocation.get(option)));
            request.endpoints[name] = invocation.get(option);
        }
    if (invocation.has("--proxy")) {
        PICKET_TRY(trust::check_proxy_url(invocation.get("--proxy")));
        request.proxy = invocation.get("--proxy");
    }
    request.no_proxy = invocation.all("--no-proxy");
    PICKET_TRY(trust::check_no_proxy(request.no_proxy));
    request.tags = PICKET_TRY(tags_from(invocation.all("--tag")));
    request.ca_certificates = PICKET_TRY(certificates_from(invocation.all("--ca")));
    return request;
}

Result<void> write_output(const std::string& path, const std::string& content) {
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input,
                     fmt::format("{} is there and not a regular file", escape_for_display(path)));
    const auto slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const UniqueFd directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return Error::from_errno(errno, escape_for_display(parent));
    return sys::write_atomically_at(directory.get(), path.substr(slash == std::string::npos ? 0 : slash + 1), content,
                                    0600);
}

Result<std::string> create(const command_line::Invocation& invocation, const OrganisationDirectory& directory,
                           Profiles profiles) {
    trust::OnboardingRequest request = PICKET_TRY(request_from(invocation, directory.organisation));
    request.profiles = std::move(profiles.documents);
    const crypto::SecretKey key = PICKET_TRY(unlock(directory, invocation.get("--passphrase-file")));
    const std::string package = PICKET_TRY(trust::build_onboarding_package(request, key));
    const std::string output =
        invocation.get("--out", "picket-onboarding-" + file_name_of(directory.organisation.name) + ".zip");
    PICKET_TRY(write_output(output, package));
    return output;
}

int fail_profiles(const Context& context, const std::vector<profile::Problem>& problems) {
    std::string message = "the profile is refused";
    for (const profile::Problem& problem : problems)
        message += "; " + profile::to_text(problem);
    return fail(context, static_cast<int>(InstallerExit::profile_refused), "profile_refused", message);
}

} // namespace

int run_create(const Context& context) {
    const auto path = organisation_path(context.invocation.get("--directory"));
    if (!path)
        return fail(context, path.error());
    const auto directory = load_organisation(*path);
    if (!directory && directory.error().code() == ErrorCode::not_found)
        return fail(context, 1, "not_found", fmt::format("no organisation in {}", escape_for_display(*path)),
                    "picket-onboarding init --org NAME --region REGION makes one");
    if (!directory)
        return fail(context, directory.error());
    auto profiles = profiles_from(context.invocation.all("--profile"));
    if (!profiles)
        return fail(context, profiles.error());
    if (!profiles->problems.empty())
        return fail_profiles(context, profiles->problems);
    const auto output = create(context.invocation, *directory, std::move(*profiles));
    if (!output)
        return fail(context, output.error());
    return show(context, "onboarding_created",
                {{"file", *output},
                 {"organisation", directory->organisation.name},
                 {"key_id", crypto::to_text(directory->public_key.id)},
                 {"public_key", directory->public_key.to_base64()},
                 {"next", "sudo picket-installer install --onboarding " + *output + " --trust-key " +
                              directory->public_key.to_base64()}},
                {"file", "organisation", "key_id", "public_key", "next"});
}

} // namespace picket::onboarding
