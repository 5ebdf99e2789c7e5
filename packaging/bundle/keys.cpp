#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/unique_fd.h>
#include <picket/crypto/key_file.h>
#include <picket/sys/file.h>

#include "context.h"

namespace picket::bundle {
namespace {

Result<void> make_directories(const std::string& path) {
    for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        const std::string part = path.substr(0, slash);
        if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
            return Error::from_errno(errno, fmt::format("create {}", escape_for_display(part)));
        if (slash == std::string::npos)
            return {};
    }
}

Result<void> write_public(const std::string& directory, const std::string& name, const std::string& content) {
    const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        return Error::from_errno(errno, fmt::format("open {}", escape_for_display(directory)));
    return sys::write_atomically_at(fd.get(), name, content, 0644);
}

std::string header_text(const crypto::PublicKey& current, const crypto::PublicKey& next) {
    return fmt::format("// Made by picket-bundle keys.\n#pragma once\n\nnamespace picket {{\n\n"
                       "inline constexpr const char* kReleasePublicKeys[] = {{\n    \"{}\",\n    \"{}\",\n}};\n\n}} // "
                       "namespace picket\n",
                       current.to_base64(), next.to_base64());
}

} // namespace

Result<std::string> key_directory(const std::string& given) {
    if (!given.empty())
        return command_line::absolute_path(given);
    const auto variable = [](const char* name) {
        const char* const value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    if (const std::string keys = variable("PICKET_RELEASE_KEYS"); !keys.empty())
        return command_line::absolute_path(keys);
    if (const std::string data = variable("XDG_DATA_HOME"); data.starts_with('/'))
        return data + "/picket/release-keys";
    if (const std::string home = variable("HOME"); home.starts_with('/'))
        return home + "/.local/share/picket/release-keys";
    return Error(ErrorCode::invalid_input,
                 "HOME is not set: say where the release keys are kept with PICKET_RELEASE_KEYS");
}

Result<crypto::SecretKey> release_key(const std::string& directory, const std::string& name) {
    PICKET_TRY(make_directories(directory));
    const std::string path = directory + "/" + name + ".key";
    auto text = crypto::read_secret_file(path);
    if (!text && text.error().code() != ErrorCode::not_found)
        return text.error();
    if (!text) {
        const crypto::Secret fresh = PICKET_TRY(crypto::SecretKey::generate().to_file_text());
        const auto written = crypto::write_new_secret_file(path, fresh.text());
        if (!written && written.error().code() != ErrorCode::conflict) // two builds at once: the first one's key counts
            return written.error();
        text = crypto::read_secret_file(path);
        if (!text)
            return text.error();
    }
    auto key = crypto::SecretKey::parse(text->text());
    if (!key)
        return key.error().with_context(escape_for_display(path));
    if (access((directory + "/" + name + ".pub").c_str(), F_OK) != 0)
        PICKET_TRY(write_public(directory, name + ".pub", key->public_key().to_file_text()));
    return key;
}

Result<data::Json> run_keys(const Context& context) {
    const std::string directory = PICKET_TRY(key_directory(context.invocation.get("--directory")));
    const crypto::SecretKey current = PICKET_TRY(release_key(directory, kCurrentKey));
    const crypto::SecretKey next = PICKET_TRY(release_key(directory, kNextKey));
    if (context.invocation.has("--header")) {
        const std::string path = command_line::absolute_path(context.invocation.get("--header"));
        const auto slash = path.rfind('/');
        PICKET_TRY(make_directories(path.substr(0, slash)));
        PICKET_TRY(write_public(path.substr(0, slash + 1), path.substr(slash + 1),
                                header_text(current.public_key(), next.public_key())));
    }
    return data::Json{{"directory", directory},
                      {"current_key_id", crypto::to_text(current.public_key().id)},
                      {"current_key", current.public_key().to_base64()},
                      {"next_key", next.public_key().to_base64()}};
}

} // namespace picket::bundle
