#include <picket/data/redact.h>

#include <algorithm>
#include <array>
#include <optional>

namespace picket::data {
namespace {

constexpr std::string_view kRedacted = "[redacted]";
constexpr std::array<std::string_view, 11> kSecretWords{"password",    "passwd",        "passphrase", "secret",
                                                        "token",       "apikey",        "api_key",    "api-key",
                                                        "credentials", "authorization", "private_key"};
constexpr std::size_t kLongestName = 64; ///< of a key that holds one of those words
constexpr std::size_t kShortestKnown = 6;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_name(char c) {
    const char l = lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}
bool ends_value(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"' || c == '\'' || c == ',' || c == ';' ||
           c == '&' || c == '}' || c == ']';
}

bool sounds_secret(std::string_view name) {
    std::string small(name);
    std::transform(small.begin(), small.end(), small.begin(), lower);
    return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                       [&](std::string_view word) { return small.find(word) != std::string::npos; });
}

struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
};

/// The value that belongs to a name which ends at `end`: after quotes, blanks and one of `:` and `=`.
std::optional<Range> value_after(std::string_view text, std::size_t end) {
    std::size_t at = end;
    const auto skip = [&](std::string_view what) {
        while (at < text.size() && what.find(text[at]) != std::string_view::npos)
            ++at;
    };
    skip("\"' \t\\");
    if (at >= text.size() || (text[at] != ':' && text[at] != '='))
        return std::nullopt;
    ++at;
    skip(" \t\\");
    const char quote = at < text.size() && (text[at] == '"' || text[at] == '\'') ? text[at] : '\0';
    if (quote != '\0')
        ++at;
    Range range{at, at};
    while (range.end < text.size() && text[range.end] != '\n' &&
           (quote != '\0' ? text[range.end] != quote : !ends_value(text[range.end]))) {
        if (quote != '\0' && text[range.end] == '\\' && range.end + 1 < text.size())
            ++range.end; // an escaped quote is no end
        ++range.end;
    }
    range.end = std::min(range.end, text.size());
    // "Authorization: Bearer …": the word before the secret is none.
    constexpr std::array<std::string_view, 2> kSchemes{"Bearer ", "Basic "};
    if (quote == '\0')
        for (const std::string_view scheme : kSchemes)
            if (text.substr(range.begin).starts_with(scheme)) {
                range.begin += scheme.size();
                range.end = range.begin;
                while (range.end < text.size() && !ends_value(text[range.end]))
                    ++range.end;
            }
    return range.end > range.begin ? std::optional(range) : std::nullopt;
}

std::string without_named(std::string_view text) {
    std::string clean;
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t end = at;
        while (end < text.size() && is_name(text[end]))
            ++end;
        if (end == at) {
            clean += text[at++];
            continue;
        }
        const std::string_view name = text.substr(at, end - at);
        clean += name;
        at = end;
        if (name.size() > kLongestName || !sounds_secret(name))
            continue;
        if (const auto value = value_after(text, end)) {
            clean += text.substr(at, value->begin - at);
            clean += kRedacted;
            at = value->end;
        }
    }
    return clean;
}

/// scheme://user:password@host keeps scheme and host.
std::string without_url_users(std::string_view text) {
    std::string clean;
    for (;;) {
        const auto scheme = text.find("://");
        if (scheme == std::string_view::npos)
            return clean.append(text);
        const std::size_t begin = scheme + 3;
        clean += text.substr(0, begin);
        text.remove_prefix(begin);
        const auto end = std::find_if(text.begin(), text.end(), [](char c) { return ends_value(c) || c == '/'; });
        const std::string_view authority = text.substr(0, static_cast<std::size_t>(end - text.begin()));
        if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
            clean += kRedacted;
            text.remove_prefix(at);
        }
    }
}

std::string without_private_keys(std::string text) {
    constexpr std::string_view kBegin = "PRIVATE KEY-----";
    constexpr std::string_view kEnd = "-----END";
    for (std::size_t from = 0;;) {
        const auto begin = text.find(kBegin, from);
        if (begin == std::string::npos)
            return text;
        const std::size_t body = begin + kBegin.size();
        const auto end = std::min(text.find(kEnd, body), text.size());
        text.replace(body, end - body, kRedacted);
        // The END line has the words too.
        const auto closing = text.find(kBegin, body + kRedacted.size());
        from = closing == std::string::npos ? text.size() : closing + kBegin.size();
    }
}

std::string without_known(std::string text, const std::vector<std::string>& known) {
    for (const std::string& secret : known) {
        if (secret.size() < kShortestKnown)
            continue;
        for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + kRedacted.size()))
            text.replace(at, secret.size(), kRedacted);
    }
    return text;
}

} // namespace

std::string redact(std::string_view text, const std::vector<std::string>& known) {
    return without_named(without_url_users(without_private_keys(without_known(std::string(text), known))));
}

} // namespace picket::data
