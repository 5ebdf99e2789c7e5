#include "organisation.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/command_line/verb.h>
#include <picket/crypto/key_file.h>
#include <picket/data/json.h>
#include <picket/sys/file.h>
#include <picket/trust/rules.h>

#include "passphrase.h"

namespace picket::onboarding {
namespace {

constexpr const char* kFile = "organisation.json";

Error failed(std::string_view what, std::string_view path) {
    return Error::from_errno(errno, fmt::format("{} {}", what, escape_for_display(path)));
}

Result<void> make_private_directories(const std::string& path) {
    for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        const std::string part = path.substr(0, slash);
        if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
            return failed("create", part);
        if (slash == std::string::npos)
            return {};
    }
}

Result<UniqueFd> open_private_directory(const std::string& path) {
    UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    if (!directory || fstat(directory.get(), &status) != 0)
        return failed("open", path);
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        return Error(ErrorCode::permission,
                     fmt::format("{} must belong to you alone (mode 0700, is {:04o}): chmod 700 it",
                                 escape_for_display(path), status.st_mode & 07777U));
    return directory;
}

data::Json to_json(const trust::Organisation& organisation, const std::string& name, const crypto::PublicKey& key) {
    return {{"schema", 1},
            {"id", organisation.id},
            {"name", organisation.name},
            {"region", organisation.region},
            {"key", name + ".key"},
            {"public_key", key.to_base64()},
            {"created", to_rfc3339(SystemClock().wall())}};
}

OrganisationDirectory describe(const std::string& path, const trust::Organisation& organisation,
                               const std::string& name, const crypto::PublicKey& key) {
    return {path, organisation, path + "/" + name + ".key", path + "/" + name + ".pub", key};
}

Result<OrganisationDirectory> parse(const std::string& path, const data::Json& document) {
    trust::Organisation organisation{PICKET_TRY(data::get_string(document, "id")),
                                     PICKET_TRY(data::get_string(document, "name")),
                                     PICKET_TRY(data::get_string(document, "region"))};
    const std::string key_file = PICKET_TRY(data::get_string(document, "key"));
    if (!key_file.ends_with(".key") || key_file.find('/') != std::string::npos)
        return Error(ErrorCode::invalid_input, "\"key\" must be the name of a file beside it, NAME.key");
    const std::string public_key = PICKET_TRY(data::get_string(document, "public_key"));
    const crypto::PublicKey key = PICKET_TRY(crypto::PublicKey::parse(public_key));
    return describe(path, organisation, key_file.substr(0, key_file.size() - 4), key);
}

} // namespace

Result<std::string> organisation_path(const std::string& given) {
    if (!given.empty())
        return command_line::absolute_path(given);
    const char* const configuration = std::getenv("XDG_CONFIG_HOME");
    if (configuration != nullptr && configuration[0] == '/')
        return std::string(configuration) + "/picket/organisation";
    const char* const home = std::getenv("HOME");
    if (home == nullptr || home[0] != '/')
        return Error(ErrorCode::invalid_input,
                     "HOME is not set: say where the organisation's key is kept with --directory");
    return std::string(home) + "/.config/picket/organisation";
}

std::string file_name_of(const std::string& organisation_name) {
    std::string name;
    for (const char c : to_lower(organisation_name)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain)
            name += c;
        else if (!name.empty() && name.back() != '-')
            name += '-';
    }
    name.resize(std::min<std::size_t>(name.size(), 40));
    while (name.ends_with('-'))
        name.pop_back();
    return name.empty() ? "organisation" : name;
}

Result<OrganisationDirectory> make_organisation(const std::string& path, const trust::Organisation& organisation,
                                                std::optional<std::string_view> passphrase) {
    PICKET_TRY(trust::check_organisation_name(organisation.name));
    PICKET_TRY(trust::check_region(organisation.region));
    PICKET_TRY(make_private_directories(path));
    const UniqueFd directory = PICKET_TRY(open_private_directory(path));
    if (faccessat(directory.get(), kFile, F_OK, 0) == 0)
        return Error(ErrorCode::conflict,
                     fmt::format("{}/{} is there already: an organisation, its region and its key are made once; "
                                 "--directory makes another one elsewhere",
                                 escape_for_display(path), kFile));
    const std::string name = file_name_of(organisation.name);
    const crypto::SecretKey key = crypto::SecretKey::generate();
    const crypto::Secret key_text = PICKET_TRY(key.to_file_text(passphrase));
    // The description comes last: with it the organisation exists.
    PICKET_TRY(crypto::write_new_secret_file(path + "/" + name + ".key", key_text.text()));
    PICKET_TRY(sys::write_atomically_at(directory.get(), name + ".pub", key.public_key().to_file_text(), 0644));
    PICKET_TRY(crypto::write_new_secret_file(
        path + "/" + kFile, data::to_pretty_text(to_json(organisation, name, key.public_key())) + "\n"));
    return describe(path, organisation, name, key.public_key());
}

Result<OrganisationDirectory> load_organisation(const std::string& path) {
    const auto text = crypto::read_secret_file(path + "/" + kFile);
    if (!text)
        return text.error();
    const auto document = data::parse_json(text->text());
    if (!document)
        return document.error().with_context(path + "/" + kFile);
    auto parsed = parse(path, *document);
    if (!parsed)
        return parsed.error().with_context(path + "/" + kFile);
    return parsed;
}

Result<crypto::SecretKey> unlock(const OrganisationDirectory& directory, const std::string& passphrase_file) {
    const crypto::Secret text = PICKET_TRY(crypto::read_secret_file(directory.key_path));
    const bool locked = PICKET_TRY(crypto::SecretKey::needs_passphrase(text.text()));
    std::optional<crypto::Secret> passphrase;
    if (locked)
        passphrase = passphrase_file.empty()
                         ? PICKET_TRY(ask_passphrase("Passphrase of " + escape_for_display(directory.key_path)))
                         : PICKET_TRY(passphrase_from_file(passphrase_file));
    auto key = PICKET_TRY(
        crypto::SecretKey::parse(text.text(), passphrase ? std::optional(passphrase->text()) : std::nullopt));
    if (key.public_key() != directory.public_key)
        return Error(ErrorCode::corrupt, fmt::format("{} is not the key that organisation.json names",
                                                     escape_for_display(directory.key_path)));
    return key;
}

} // namespace picket::onboarding
