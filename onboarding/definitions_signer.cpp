#include "definitions_signer.h"

#include <algorithm>
#include <fcntl.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/key_file.h>
#include <picket/data/json.h>
#include <picket/sys/file.h>

namespace picket::onboarding {
namespace {

constexpr const char* kCounters = "definitions.json";
constexpr const char* kKeyList = "definitions-keys.json";
constexpr const char* kKeyListSignature = "definitions-keys.json.minisig";
constexpr std::chrono::hours kKeyListLife{24 * 400};
constexpr std::chrono::hours kKeyListRenewed{24 * 200}; ///< where less than this is left

struct Counters {
    std::uint64_t key_number = 0;
    std::uint64_t key_list_version = 0;
    std::uint64_t set_version = 0;
};

Result<UniqueFd> open_directory(const std::string& path) {
    UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return Error::from_errno(errno, escape_for_display(path));
    return directory;
}

Result<void> write(const std::string& directory, const std::string& name, std::string_view content, mode_t mode) {
    const UniqueFd fd = PICKET_TRY(open_directory(directory));
    return sys::write_atomically_at(fd.get(), name, content, mode);
}

Result<std::optional<std::string>> read_if_there(const std::string& path) {
    const auto text = crypto::read_secret_file(path);
    if (text)
        return std::optional(std::string(text->text()));
    if (text.error().code() == ErrorCode::not_found)
        return std::optional<std::string>();
    return text.error();
}

Result<Counters> read_counters(const std::string& directory) {
    const std::string path = directory + "/" + kCounters;
    const auto text = PICKET_TRY(read_if_there(path));
    if (!text)
        return Counters();
    const auto json = data::parse_json(*text);
    if (!json)
        return json.error().with_context(escape_for_display(path));
    const auto count = [&](std::string_view key) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(0, data::integer_or(*json, key, 0)));
    };
    return Counters{count("key_number"), count("key_list_version"), count("set_version")};
}

std::string key_path(const std::string& directory, std::uint64_t number) {
    return fmt::format("{}/definitions-{}.key", directory, number);
}

Result<crypto::SecretKey> make_key(const std::string& directory, std::uint64_t number) {
    const crypto::SecretKey key = crypto::SecretKey::generate();
    const crypto::Secret text = PICKET_TRY(key.to_file_text());
    PICKET_TRY(crypto::write_new_secret_file(key_path(directory, number), text.text()));
    PICKET_TRY(write(directory, fmt::format("definitions-{}.pub", number), key.public_key().to_file_text(), 0644));
    return crypto::SecretKey::parse(text.text());
}

Result<crypto::SecretKey> read_key(const std::string& path) {
    const crypto::Secret text = PICKET_TRY(crypto::read_secret_file(path));
    return crypto::SecretKey::parse(text.text());
}

} // namespace

Result<DefinitionsSigner> DefinitionsSigner::open(const OrganisationDirectory& organisation, const Options& options,
                                                  WallTime now) {
    const Counters counters = PICKET_TRY(read_counters(organisation.path));
    const bool fresh = options.rotate || counters.key_number == 0;
    std::uint64_t number = counters.key_number;
    if (fresh) // past one that an attempt left behind
        do
            ++number;
        while (PICKET_TRY(read_if_there(key_path(organisation.path, number))));
    DefinitionsSigner signer(organisation.path, fresh ? PICKET_TRY(make_key(organisation.path, number))
                                                      : PICKET_TRY(read_key(key_path(organisation.path, number))));
    signer.key_number_ = number;
    signer.key_list_version_ = counters.key_list_version;
    signer.set_version_ = counters.set_version;
    PICKET_TRY(signer.renew_key_list(organisation, options, now));
    return signer;
}

Result<void> DefinitionsSigner::renew_key_list(const OrganisationDirectory& organisation, const Options& options,
                                               WallTime now) {
    const auto text = PICKET_TRY(read_if_there(directory_ + "/" + kKeyList));
    const auto signature = PICKET_TRY(read_if_there(directory_ + "/" + kKeyListSignature));
    if (text && signature) {
        key_list_ = {*text, *signature};
        const auto list = trust::verify_key_list(organisation.public_key, *text, *signature);
        if (list && list->keys == std::vector{public_key_} && list->expires > now + kKeyListRenewed)
            return {};
    }
    const crypto::SecretKey key = PICKET_TRY(unlock(organisation, options.passphrase_file));
    ++key_list_version_;
    PICKET_TRY(save());
    key_list_ = PICKET_TRY(trust::sign_key_list(
        {.version = key_list_version_, .issued = now, .expires = now + kKeyListLife, .keys = {public_key_}}, key));
    PICKET_TRY(write(directory_, kKeyList, key_list_.text, 0600));
    return write(directory_, kKeyListSignature, key_list_.signature, 0600);
}

Result<void> DefinitionsSigner::save() const {
    const data::Json counters{
        {"key_number", key_number_}, {"key_list_version", key_list_version_}, {"set_version", set_version_}};
    return write(directory_, kCounters, data::to_pretty_text(counters) + "\n", 0600);
}

/// Seconds, so that it rises also where the directory came back from an old copy.
Result<trust::SignedText> DefinitionsSigner::sign(trust::DefinitionSet set) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(set.issued.time_since_epoch()).count();
    set_version_ = std::max(set_version_ + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(1, seconds)));
    set.version = set_version_;
    PICKET_TRY(save());
    return trust::sign_definition_set(set, key_);
}

} // namespace picket::onboarding
