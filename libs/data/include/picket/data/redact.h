#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace picket::data {

/// `text` (logs, JSON, configuration) without secrets, for what leaves the host: user and password in URLs, the values
/// of names that sound secret (password, token, secret, api key, authorization …) in JSON, KEY=VALUE and "key: value",
/// private keys in PEM, and `known` secrets wherever they stand. Everything else comes through unchanged.
std::string redact(std::string_view text, const std::vector<std::string>& known = {});

} // namespace picket::data
