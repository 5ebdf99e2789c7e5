#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/result.h>

namespace picket::crypto {

/// Splits a PEM file into its certificates and checks that each is one that may sign others. Private keys in it are
/// refused (invalid_input): they have no business in what is handed to hosts. Each result is one PEM block.
Result<std::vector<std::string>> split_ca_certificates(std::string_view pem);

/// Whom the certificates of a PEM text name as their subjects, as OpenSSL writes it ("CN = Acme CA, O = Acme"); what
/// cannot be read is left out. Only for what was verified.
std::vector<std::string> subjects_of_certificates(std::string_view pem);

} // namespace picket::crypto
