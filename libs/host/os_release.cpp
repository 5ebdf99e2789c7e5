#include <picket/host/os_release.h>

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "root_links.h"

namespace picket::host {
namespace {

constexpr Bytes kMaximumSize = kibibytes(64); // real ones are below 2 KiB
constexpr std::size_t kMaximumValue = 512;
constexpr std::size_t kMaximumLikes = 16;

struct Assignment {
    std::string_view key;
    std::string value;
};

bool is_key(std::string_view key) {
    return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

/// Takes the quotes and backslashes of a shell word away; nothing where a quote stays open.
std::optional<std::string> unquote(std::string_view text) {
    std::string plain;
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool more = i + 1 < text.size();
        if (quote == '\'') {
            if (c == '\'')
                quote = 0;
            else
                plain += c;
        } else if (c == '\\' && more) {
            const char next = text[++i];
            // Inside double quotes a backslash stands for itself before anything but these.
            if (quote == '"' && std::string_view("\"\\$`").find(next) == std::string_view::npos)
                plain += c;
            plain += next;
        } else if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote != 0 && c == quote) {
            quote = 0;
        } else {
            plain += c;
        }
    }
    if (quote != 0)
        return std::nullopt;
    return plain;
}

std::optional<Assignment> parse_line(std::string_view line) {
    line = trim(line); // also takes the CR of a file that went through Windows
    if (line.empty() || line.front() == '#')
        return std::nullopt;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || !is_key(line.substr(0, equals)))
        return std::nullopt;
    auto value = unquote(line.substr(equals + 1));
    if (!value || value->size() > kMaximumValue)
        return std::nullopt;
    return Assignment{line.substr(0, equals), std::move(*value)};
}

struct Field {
    std::string_view key;
    std::string OsRelease::*member;
};
constexpr std::array<Field, 7> kFields{{
    {"ID", &OsRelease::id},
    {"NAME", &OsRelease::name},
    {"PRETTY_NAME", &OsRelease::pretty_name},
    {"VERSION", &OsRelease::version},
    {"VERSION_ID", &OsRelease::version_id},
    {"VERSION_CODENAME", &OsRelease::version_codename},
    {"VARIANT_ID", &OsRelease::variant_id},
}};

void store(OsRelease& release, const Assignment& assignment) {
    for (const Field& field : kFields)
        if (field.key == assignment.key)
            release.*field.member = assignment.value;
    if (assignment.key != "ID_LIKE")
        return;
    release.id_like.clear();
    for (const std::string_view word : split(assignment.value, ' '))
        if (!word.empty() && release.id_like.size() < kMaximumLikes)
            release.id_like.push_back(to_lower(word));
}

} // namespace

std::string OsRelease::label() const {
    std::string text = pretty_name;
    if (text.empty())
        text = fmt::format("{}{}{}", name.empty() ? id : name, version_id.empty() ? "" : " ", version_id);
    return escape_for_display(text.substr(0, 100));
}

Result<OsRelease> parse_os_release(std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
        return Error(ErrorCode::invalid_input, "not a text file (it holds NUL bytes)");
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
        text.remove_prefix(kByteOrderMark.size());
    OsRelease release;
    bool any = false;
    for (const std::string_view line : split(text, '\n')) {
        if (const auto assignment = parse_line(line)) {
            any = true;
            store(release, *assignment);
        }
    }
    if (!any)
        return Error(ErrorCode::invalid_input, text.empty() ? "the file is empty" : "no KEY=VALUE line in it");
    release.id = release.id.empty() ? "linux" : to_lower(release.id);
    return release;
}

Result<OsRelease> read_os_release(const sys::Root& root) {
    for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
        const auto text = read_through_links(root, path, kMaximumSize);
        if (!text && text.error().code() == ErrorCode::not_found)
            continue;
        if (!text)
            return text.error().with_context(path);
        const auto release = parse_os_release(*text);
        return release ? release : Result<OsRelease>(release.error().with_context(path));
    }
    return Error(ErrorCode::not_found, "neither /etc/os-release nor /usr/lib/os-release is there");
}

} // namespace picket::host
